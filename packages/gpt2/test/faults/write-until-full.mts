// In a process of its own on a small or read-only file system: writes a checkpoint that fits, then one that cannot, and says what is left.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { contentOf } from '../../src/file-content.js';
import { folderCheckpoints } from '../../src/node.js';

const folder = process.env['LIMN_TEST_TARGET'] as string;
const file = path.join(folder, 'checkpoint.safetensors');
const store = folderCheckpoints(folder);
if (!existsSync(file)) await store.write(contentOf(new Uint8Array(20_000)));
const error = await store.write(contentOf(new Uint8Array(100_000))).catch((thrown: unknown) => thrown);
if (!(error instanceof LimnError)) throw new Error(`not a coded error: ${String(error)}`);
const { code, details } = error;
console.log(
  JSON.stringify({ code, reason: details['reason'], kept: readFileSync(file).length, names: readdirSync(folder) }),
);
