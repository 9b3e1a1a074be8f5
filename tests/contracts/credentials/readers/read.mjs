// Reads photos as two foreign programs do, and prints what each says, one line of JSON per photo.
// Standard input: one line of JSON per photo: {"photo": BASE64, "anchor": PEM or null}.
// c2pa-ts follows no chain of trust: it says whether a photo is whole.
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { JPEG } from '@trustnxt/c2pa-ts/asset';
import { SuperBox } from '@trustnxt/c2pa-ts/jumbf';
import { ManifestStore } from '@trustnxt/c2pa-ts/manifest';
import init, { WasmReader } from '@contentauth/c2pa-wasm';

const machineCode = new URL(import.meta.resolve('@contentauth/c2pa-wasm/c2pa.wasm'));
await init({ module_or_path: await readFile(machineCode) });

async function wasm(photo, anchor) {
  const trust = anchor ? { trust: { user_anchors: anchor } } : {};
  const quiet = { verify: { remote_manifest_fetch: false, ocsp_fetch: false } };
  const settings = JSON.stringify({ version: 1, ...quiet, ...trust });
  try {
    const reader = await WasmReader.fromBytes('image/jpeg', photo, settings);
    const store = JSON.parse(reader.json());
    reader.free();
    const said = store.manifests[store.active_manifest]?.assertions;
    return { state: store.validation_state, said };
  } catch (error) {
    const words = String(error?.message ?? error);
    return { state: /JumbfNotFound/.test(words) ? 'None' : 'Invalid', words };
  }
}

async function typescript(photo) {
  try {
    const asset = new JPEG(photo);
    const manifest = asset.getManifestJUMBF();
    if (!manifest) return { state: 'None' };
    const store = ManifestStore.read(SuperBox.fromBuffer(manifest));
    const result = await store.validate(asset);
    return { state: result.isValid ? 'Valid' : 'Invalid' };
  } catch (error) {
    return { state: 'Invalid', words: String(error?.message ?? error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { photo, anchor } = JSON.parse(line);
  const bytes = new Uint8Array(Buffer.from(photo, 'base64'));
  const told = { wasm: await wasm(bytes, anchor), typescript: await typescript(bytes) };
  console.log(JSON.stringify(told));
}
