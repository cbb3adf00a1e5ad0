// Checks signed transactions as the documented client does: reads them, makes their deterministic text, hashes it
// and verifies the signature; once with elliptic, once with @noble/curves. Texts come in a JSON list on standard
// input; a line for each library goes out: its name and how many a second.
import { readFileSync } from "node:fs";
import { secp256k1 } from "@noble/curves/secp256k1";
import { sha256 } from "@noble/hashes/sha2";
import { bytesToHex } from "@noble/hashes/utils";
import elliptic from "elliptic";

const seconds = Number(process.argv[2] ?? 3);
const texts = JSON.parse(readFileSync(0, "utf8")).map((value) => JSON.stringify(value));
const curve = new elliptic.ec("secp256k1");
const encoder = new TextEncoder();

function deterministic(value) {
  if (value === null || typeof value !== "object") return value === undefined ? "null" : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(deterministic).join(",")}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `"${key}":${deterministic(value[key])}`).join(",")}}`;
}

function read(text) {
  const { hash, signature, ...signed } = JSON.parse(text);
  const digest = sha256(encoder.encode(deterministic(signed)));
  if (bytesToHex(digest) !== hash) throw new Error("hash mismatch");
  return { digest, signature, key: signed.from.publicKey };
}

const checks = {
  "elliptic 6.6.1 + @noble/hashes": (text) => {
    const { digest, signature, key } = read(text);
    return curve.keyFromPublic(key, "hex").verify(bytesToHex(digest), signature);
  },
  "@noble/curves + @noble/hashes": (text) => {
    const { digest, signature, key } = read(text);
    return secp256k1.verify(secp256k1.Signature.fromDER(signature), digest, key, { lowS: false });
  },
};

for (const [name, check] of Object.entries(checks)) {
  // warm
  for (let i = 0; i < 200; i++) if (!check(texts[i % texts.length])) throw new Error(`${name}: not valid`);
  const start = process.hrtime.bigint();
  let done = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    for (const text of texts) if (check(text)) done += 1;
    elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  }
  console.log(`${name} ${(done / elapsed).toFixed(1)}`);
}
