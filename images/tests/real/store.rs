//! What is kept, shared and pruned.

use bottle_images::{Context, ImageRef, Owners, ResolveError, UnpackOptions, resolve, unpack};

use super::made::{Layer, Packed, layout};
use super::place::{Place, silent};

fn layer(name: &str) -> Vec<u8> {
    Layer::new().directory("d", 0o755).file(&format!("d/{name}"), name).bytes()
}

#[test]
fn images_share_the_layers_that_they_have_in_common() {
    let place = Place::new();
    layout(&place.path("one"), vec![(layer("base"), Packed::Gzip), (layer("one"), Packed::Gzip)]);
    layout(&place.path("two"), vec![(layer("base"), Packed::Zstd), (layer("two"), Packed::Gzip)]);
    let one = place.unpack(&place.load("oci:one").unwrap());
    let two = place.unpack(&place.load("oci:two").unwrap());
    assert_eq!(one.layers()[0], two.layers()[0]);
    assert_ne!(one.layers()[1], two.layers()[1]);
}

#[test]
fn an_image_that_was_unpacked_once_is_taken_again_whatever_its_files_claim_to_be() {
    let place = Place::new();
    let size = (100_u64 << 30).to_string();
    let layer = ["one", "two"].into_iter().fold(Layer::new(), |layer, name| {
        let records = [("major", "0"), ("minor", "1"), ("name", name), ("size", &size), ("map", "0,0")];
        layer.records(&records.map(|(key, value)| (format!("GNU.sparse.{key}"), value.as_bytes()))).file("written", "")
    });
    layout(&place.path("sparse"), vec![(layer.bytes(), Packed::Plain)]);
    let loaded = place.load("oci:sparse").unwrap();
    for _ in 0..2 {
        let unpacked = place.unpack(&loaded);
        assert_eq!(std::fs::metadata(unpacked.layers()[0].join("two")).unwrap().len(), 100 << 30);
    }
}

#[test]
fn an_image_without_any_layer_is_refused_with_a_hint() {
    let place = Place::new();
    layout(&place.path("empty"), vec![]);
    let loaded = place.load("oci:empty").unwrap();
    let mut context = Context::new(1000, 1000, "u", &place.path("home"), &place.path(""));
    context.store = place.path("images");
    let refused = resolve(&ImageRef::Manifest(loaded.image.digest()), &context).unwrap_err();
    assert!(matches!(refused, ResolveError::Empty) && refused.hint().is_some(), "{refused:?}");
}

#[test]
fn what_is_left_out_is_told_once_and_with_a_file() {
    let place = Place::new();
    let layer = Layer::new().attribute("user.overlay.redirect", b"/x").file("a\nb", "x").bytes();
    layout(&place.path("one"), vec![(layer, Packed::Gzip)]);
    let loaded = place.load("oci:one").unwrap();
    let told =
        r"the extended attribute user.overlay.redirect is left out (a\nb): it would change what the overlay shows";
    assert_eq!(place.unpack(&loaded).notes(), [told]);
    assert_eq!(place.unpack(&loaded).notes(), [""; 0]);
}

#[test]
fn what_no_name_refers_to_is_pruned_and_what_is_used_is_not() {
    let place = Place::new();
    layout(&place.path("one"), vec![(layer("base"), Packed::Gzip), (layer("one"), Packed::Gzip)]);
    layout(&place.path("two"), vec![(layer("base"), Packed::Gzip), (layer("two"), Packed::Gzip)]);
    let (one, two) = (place.load("oci:one").unwrap(), place.load("oci:two").unwrap());
    let used = place.unpack(&one);
    drop(place.unpack(&two));
    assert_eq!(place.prune().unwrap().blobs, []);
    for name in one.names.iter().chain(&two.names) {
        assert!(place.store.remove_name(name).unwrap());
    }
    std::fs::write(place.path("images/partial/left"), "x").unwrap();
    let pruned = place.prune().unwrap();
    assert_eq!((pruned.blobs.len(), pruned.layers.len(), pruned.in_use, pruned.remains), (7, 1, 2, 1));
    assert!(used.layers().iter().all(|layer| layer.join("d").exists()));
    drop(used);
    assert_eq!(place.prune().unwrap().layers.len(), 2);
    assert_eq!((place.count("blobs/sha256"), place.count("tmp"), place.count("partial")), (0, 0, 0));
}

#[test]
fn many_load_unpack_and_prune_the_same_at_once() {
    let place = Place::new();
    layout(&place.path("one"), vec![(layer("base"), Packed::Gzip), (layer("one"), Packed::Gzip)]);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for _ in 0..5 {
                    if worker % 4 == 3 {
                        place.prune().unwrap();
                        continue;
                    }
                    let loaded = place.load("oci:one").unwrap();
                    let unpacked = place.unpack(&loaded);
                    assert!(unpacked.layers().iter().all(|layer| layer.join("d").exists()));
                }
            });
        }
    });
    assert_eq!(place.count("tmp"), 0);
}

#[test]
fn a_hostile_layer_leaves_nothing_in_the_store() {
    let place = Place::new();
    let mut garbage = layer("x");
    garbage.extend(b"garbage");
    for (number, bad) in [garbage, b"no archive".repeat(200), layer("x")[..700].to_vec()].into_iter().enumerate() {
        layout(&place.path(&format!("bad{number}")), vec![(layer("base"), Packed::Gzip), (bad, Packed::Gzip)]);
        let loaded = place.load(&format!("oci:bad{number}")).unwrap();
        let options = UnpackOptions::for_uid(place.places().uid);
        let error = unpack(&place.store, &loaded.image, options, &silent).unwrap_err();
        assert!(matches!(error, bottle_images::UnpackError::Layer { .. }), "{error:?}");
        assert_eq!(place.count("tmp"), 0);
        assert!(
            place.count(&format!(
                "layers/{}",
                if options.owners == Owners::AsIs { "as-is-trusted-devices" } else { "mine-user-plain" }
            )) <= 1
        );
    }
}
