/work/main/tests/opinions/target/debug/deps/opinions-d1c4bcdb9e4a3a5a.d: src/lib.rs

/work/main/tests/opinions/target/debug/deps/libopinions-d1c4bcdb9e4a3a5a.rmeta: src/lib.rs

src/lib.rs:
