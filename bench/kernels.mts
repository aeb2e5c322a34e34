// Every kernel check in one table (cases, largest error relative to its bound), and the dispatches of GPT-2's forward and backward passes.
// npm run kernels
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { logitDiff } from '@limn/attribution';
import { loadGpt2, nextTokenLoss, tensorsOf } from '@limn/gpt2';
import { dryGpu } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { gradients } from '@limn/tensor';
import { printLedger, readLedger } from '@limn/testing';
import { zeroModel } from './zero-model.mjs';

const root = path.resolve(import.meta.dirname, '..');
/** Packages with kernels of their own. */
const CHECKED = ['packages/tensor', 'packages/attribution'];

const scratch = mkdtempSync(path.join(os.tmpdir(), 'limn-kernels-'));
const ledger = path.join(scratch, 'ledger.jsonl');
let failed = false;
try {
  for (const home of CHECKED) {
    console.log(`checking the kernels of ${home} …`);
    const { status } = spawnSync('npx', ['vitest', 'run', '--reporter=dot'], {
      cwd: path.join(root, home),
      env: { ...process.env, LIMN_LEDGER: ledger },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) {
      failed = true;
      console.log(`  some tests of ${home} failed: npm test -w @limn/${path.basename(home)}`);
    }
  }
  console.log();
  printLedger(readLedger(ledger));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

// Planned without a device, at WebGPU's default limits, for two rows of 16 tokens.
const { model } = await loadGpt2(
  dryGpu(),
  zeroModel({ vocabulary: 50257, maxPositions: 1024, width: 768, layers: 12, heads: 12 }),
);
const rows = [0, 1].map((row) => Array.from({ length: 16 }, (_, t) => row + t));
const tokens = tokenBatch(rows, model.info);
const pairs = rows.map((row) => ({ clean: row, corrupted: row, correct: [1], incorrect: [2] }));

const forward = model.gpu.step();
model.run(forward, { tokens }, { logits: 'last' });

const attribution = model.gpu.step();
const run = model.run(attribution, { tokens }, { capture: ['hook_embed'], logits: 'last' });
gradients(attribution, logitDiff.loss(attribution, run.logits, pairs, undefined), 'ones', [run.at('hook_embed')]);

const training = model.gpu.step();
gradients(
  training,
  nextTokenLoss(model, training, rows).loss,
  'ones',
  [...model.parameters().values()].flatMap(tensorsOf),
);

console.log(`
GPT-2 small (2 × 16 tokens), dispatches:
  forward, logits of the last token              ${forward.plan().dispatches}
  … and backward to the embeddings               ${attribution.plan().dispatches}
  forward and backward to every parameter        ${training.plan().dispatches}`);
if (failed) process.exitCode = 1;
