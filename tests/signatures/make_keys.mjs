// Makes the RSA keys of these tests anew: `node tests/signatures/make_keys.mjs`. They protect nothing and are committed,
// because making them takes longer than the tests.
//
// One file a key, a private JWK (RFC 7517). 2049 bits, since EMSA-PSS then has one octet less than the modulus; OpenSSL
// makes 2048 of them, so that key is made by hand and has nothing but `n`, `e` and `d`.
//
// rsa-*-roca.json are public keys of the shape of CVE-2017-15361.
import { checkPrimeSync, generateKeyPairSync, generatePrimeSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

const keep = (name, jwk) =>
  writeFileSync(new URL(`keys/rsa-${name}.json`, import.meta.url), JSON.stringify(jwk, null, 2) + "\n");

for (const modulusLength of [2048, 3072, 4096]) {
  keep(modulusLength, generateKeyPairSync("rsa", { modulusLength }).privateKey.export({ format: "jwk" }));
}

const base64url = (number) => {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
};
const inverse = (number, modulus) => {
  let [a, b, x, y] = [number % modulus, modulus, 1n, 0n];
  while (b) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return a === 1n ? ((x % modulus) + modulus) % modulus : undefined;
};

for (;;) {
  const [p, q] = [1025, 1024].map((bits) => generatePrimeSync(bits, { bigint: true }));
  const d = inverse(65537n, (p - 1n) * (q - 1n));
  if ((p * q).toString(2).length === 2049 && d) {
    keep(2049, { kty: "RSA", n: base64url(p * q), e: "AQAB", d: base64url(d) });
    break;
  }
}

const power = (base, exponent, modulus) => {
  let result = 1n;
  for (; exponent; exponent >>= 1n, base = (base * base) % modulus) if (exponent & 1n) result = (result * base) % modulus;
  return result;
};
const random = (bits) => BigInt(`0x${randomBytes(bits / 8).toString("hex")}`);
const isPrime = (number) => checkPrimeSync(number);

// "The Return of Coppersmith's Attack" (CCS 2017), §2.1 and table 1: the primes are k * M + 65537^a mod M, with M the
// product of the first 126 primes for keys of 1984 to 3936 bits and of the first 225 for longer ones.
for (const [bits, count] of [[2048, 126], [4096, 225]]) {
  let M = 1n;
  for (let [number, found] = [2n, 0]; found < count; number++) {
    if (isPrime(number)) [M, found] = [M * number, found + 1];
  }
  const prime = () => {
    const top = 3n << BigInt(bits / 2 - 2); // so that the product of two has all its bits
    for (;;) {
      const candidate = top - (top % M) + M * random(16) + power(65537n, random(256), M);
      if (isPrime(candidate)) return candidate;
    }
  };
  keep(`${bits}-roca`, { kty: "RSA", n: base64url(prime() * prime()), e: "AQAB" });
}
