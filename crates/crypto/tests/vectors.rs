//! Every group of the recorded vectors, case by case.

#[test]
fn every_vector_comes_out_as_the_client_has_it() {
    let file = include_str!("../../../testdata/gliesereum.json");
    let groups = orrery_crypto::vectors::check_vectors(file).unwrap();
    let failed: Vec<_> = groups.iter().filter(|g| !g.failed.is_empty()).map(|g| (&g.id, &g.failed)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let total: usize = groups.iter().map(|g| g.total).sum();
    assert_eq!((groups.len(), total), (33, 315));
}
