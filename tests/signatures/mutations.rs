//! A hundred thousand RSA signatures that were altered before or after the private operation, and three verifiers that
//! must agree about each: Fastgate and two versions of the `rsa` crate. The signatures are the same in every run.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize as _};
use fastgate::identity::keys::Key;
use fastgate::policy::AlgorithmName;
use serde_json::Value;

use crate::encodings::{Dice, encode, is_pss, tamper_with_encoding};
use crate::opinions::OtherKeys;
use crate::{read, rsa_jwk};

const RSA: [AlgorithmName; 6] = {
    use AlgorithmName::{PS256, PS384, PS512, RS256, RS384, RS512};
    [RS256, RS384, RS512, PS256, PS384, PS512]
};

/// The keys and their lengths, the number of encodings that each signs by each algorithm, and the number of changes of
/// each signature.
const WORK: [(&str, usize, usize, usize); 4] = [
    (include_str!("keys/rsa-2048.json"), 2048, 60, 220),
    (include_str!("keys/rsa-2049.json"), 2049, 40, 80),
    (include_str!("keys/rsa-3072.json"), 3072, 12, 60),
    (include_str!("keys/rsa-4096.json"), 4096, 6, 40),
];

/// One key: for the signer, for Fastgate and for the others.
struct Signer {
    modulus: Vec<u8>,
    bits: usize,
    number: BoxedUint,
    exponent: BoxedUint,
    parameters: BoxedMontyParams,
    key: Key,
    others: OtherKeys,
}

impl Signer {
    fn new(jwk: &str, length: usize) -> Self {
        let jwk: Value = serde_json::from_str(jwk).unwrap();
        let octets = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let modulus = octets("n");
        let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
        assert_eq!(bits, length);
        let precision = u32::try_from(bits.next_multiple_of(64)).unwrap();
        let number = BoxedUint::from_be_slice(&modulus, precision).unwrap();
        let exponent = BoxedUint::from_be_slice_vartime(&octets("d"));
        let parameters = BoxedMontyParams::new(Odd::new(number.clone()).unwrap());
        let key = read(&rsa_jwk(&modulus, &[1, 0, 1])).unwrap();
        let others = OtherKeys::new(&modulus);
        Self { modulus, bits, number, exponent, parameters, key, others }
    }

    fn octets_of(&self, number: &BoxedUint) -> Vec<u8> {
        let octets = number.to_be_bytes();
        octets[octets.len() - self.modulus.len()..].to_vec()
    }

    /// The private operation on an encoding, which is reduced if it is too large.
    fn sign(&self, encoded: &[u8]) -> Vec<u8> {
        let number = BoxedUint::from_be_slice(encoded, self.number.bits_precision()).unwrap();
        let number = number.rem_vartime(self.number.as_nz_vartime().unwrap());
        self.octets_of(&BoxedMontyForm::new(number, &self.parameters).pow(&self.exponent).retrieve())
    }

    /// The common verdict of all three. The PSS of `rsa` 0.9 is more lenient than RFC 8017 and 0.10: it reduces a
    /// signature that is not below the modulus (§5.2.2), and if the modulus has one octet more than the encoding, it
    /// ignores that octet (§8.1.2, step 2c).
    fn verdict(&self, algorithm: AlgorithmName, message: &[u8], signature: &[u8], how: &str) -> bool {
        let ours = self.key.verify(algorithm, message, signature).is_ok();
        let [current, older] = self.others.accept(algorithm, message, signature);
        let case = || format!("{how}, {} bits, {algorithm:?}, {message:02x?}, {signature:02x?}", self.bits);
        assert_eq!(current, ours, "{}", case());
        let not_below = signature.len() == self.modulus.len() && signature >= &self.modulus;
        let looser = is_pss(algorithm) && older && (not_below || self.bits % 8 == 1);
        assert!(older == ours || looser, "{}", case());
        ours
    }

    /// An altered signature, and a description of the change.
    fn tamper_with_signature(&self, dice: &mut Dice, good: &[u8]) -> (&'static str, Vec<u8>) {
        let mut signature = good.to_vec();
        let at = dice.below(signature.len());
        let number = BoxedUint::from_be_slice(good, self.number.bits_precision()).unwrap();
        match dice.below(14) {
            0..4 => {
                signature[at] ^= 1 << dice.below(8);
                ("a bit flipped", signature)
            }
            4 => {
                signature[at] = dice.octet();
                ("an octet set", signature)
            }
            5 => {
                let other = dice.below(signature.len());
                signature.swap(at, other);
                ("octets swapped", signature)
            }
            6 => {
                signature.fill_with(|| dice.octet());
                ("random", signature)
            }
            7 => ("shorter", signature.split_off(at)),
            8 => {
                signature.truncate(at);
                ("cut off", signature)
            }
            9 => {
                signature.insert(0, 0);
                ("a zero before", signature)
            }
            10 => {
                signature.push(dice.octet());
                ("longer", signature)
            }
            11 => ("n - s", self.octets_of(&self.number.wrapping_sub(&number))),
            12 => ("s + n, cut to length", self.octets_of(&number.wrapping_add(&self.number))),
            _ => {
                let small = BoxedUint::from(u64::try_from(dice.below(3)).unwrap());
                let small = small.resize(self.number.bits_precision());
                let edges = [
                    small.clone(),
                    self.number.wrapping_sub(&small),
                    self.number.wrapping_add(&small),
                    BoxedUint::max(self.number.bits_precision()),
                ];
                ("an edge", self.octets_of(&edges[dice.below(edges.len())]))
            }
        }
    }

    /// Signs one encoding, which may be altered, and judges the signature and `rounds` altered ones made from it.
    fn judge(&self, algorithm: AlgorithmName, dice: &mut Dice, rounds: usize, tally: &Tally) {
        let mut message: Vec<u8> = (0..dice.below(300)).map(|_| dice.octet()).collect();
        let what = dice.below(4);
        let mut encoded = encode(algorithm, &message, self.bits, what == 1, dice);
        let how = match what {
            0 => "sound",
            1 => "perhaps another salt length",
            _ => tamper_with_encoding(algorithm, &mut encoded, dice),
        };
        let good = self.sign(&encoded);
        let accepted = self.verdict(algorithm, &message, &good, how);
        assert!(accepted || how != "sound", "{algorithm:?}");
        tally.count(how, accepted);
        for _ in 0..rounds {
            let (how, signature) = self.tamper_with_signature(dice, &good);
            tally.count(how, self.verdict(algorithm, &message, &signature, how));
        }
        let other = RSA[dice.below(RSA.len())];
        tally.count("possibly another algorithm", self.verdict(other, &message, &good, "possibly another algorithm"));
        message.push(0);
        tally.count("another message", self.verdict(algorithm, &message, &good, "another message"));
    }
}

/// The number of accepted and refused signatures of each kind.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<String, [usize; 2]>>);

impl Tally {
    fn count(&self, how: &str, accepted: bool) {
        self.0.lock().unwrap().entry(how.to_owned()).or_default()[usize::from(!accepted)] += 1;
    }
}

#[test]
fn three_verifiers_agree_about_a_hundred_thousand_altered_signatures() {
    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    let signers: Vec<Signer> = WORK.iter().map(|(jwk, length, ..)| Signer::new(jwk, *length)).collect();
    let jobs: Vec<(usize, usize, AlgorithmName)> = WORK
        .iter()
        .enumerate()
        .flat_map(|(signer, work)| (0..work.2).flat_map(move |round| RSA.map(|algorithm| (signer, round, algorithm))))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (signer, round, algorithm) = *job;
                    let seed = format!("{signer} {round} {algorithm:?}");
                    signers[signer].judge(algorithm, &mut Dice::new(&seed), WORK[signer].3, &tally);
                }
            });
        }
    });
    let tally = tally.0.into_inner().unwrap();
    let total: usize = tally.values().flatten().sum();
    assert!(total >= 100_000, "{total}");
    assert!(tally.get("sound").is_some_and(|counts| counts[0] > 100), "{tally:?}");
    eprintln!("{total} signatures, [accepted, refused]: {tally:#?}");
}
