//! A plan can be neither attested nor started.

async fn attest(plan: bottle_runtime::Plan) {
    let _ = plan.attest().await;
}

async fn start(plan: bottle_runtime::Plan) {
    let _ = plan.start().await;
}

fn main() {
    let _ = (attest, start);
}
