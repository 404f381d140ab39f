//! An airlock that was not attested has no way to start a workload.

async fn start(airlock: bottle_runtime::airlock::Airlock) {
    let _ = airlock.start().await;
}

fn main() {
    let _ = start;
}
