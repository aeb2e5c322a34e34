// Every kernel check in one table (cases, largest error relative to its bound), and the dispatches of GPT-2's forward and backward passes.
// npm run kernels [-- test-file… --out DIR --layers 12 --heads 12 --width 768 --vocabulary 50257 --positions 1024]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { logitDiff } from '@limn/attribution';
import { loadGpt2, nextTokenLoss, tensorsOf } from '@limn/gpt2';
import { dryGpu } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { gradients } from '@limn/tensor';
import { ledgerRows, printLedger, readLedger, type LedgerEntry } from '@limn/testing';
import { isGpt2Small, shapeName, shapeOf, shapeOptions, type Shape } from './arguments.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';
import { zeroModel } from './zero-model.mjs';

const root = path.resolve(import.meta.dirname, '..');
/** Packages with kernels of their own. */
const CHECKED = ['packages/tensor', 'packages/attribution'];
const TOKENS = 16;

const { values: options, positionals } = parseArgs({
  options: { out: { type: 'string' }, ...shapeOptions },
  allowPositionals: true,
});
const shape = shapeOf(options);
const { entries, adapter, failed } = checkKernels(positionals);
console.log();
printLedger(entries);
const dispatches = await plannedDispatches(shape);
console.log(`
${shapeName(shape)} (2 × ${TOKENS} tokens), dispatches:
  forward, logits of the last token              ${dispatches.forward}
  … and backward to the embeddings               ${dispatches.forwardAndBackwardToEmbeddings}
  forward and backward to every parameter        ${dispatches.forwardAndBackwardToParameters}`);
if (adapter === undefined) throw new Error('no test opened an adapter, so there is nothing to record');
const result = {
  adapter: adapter.description,
  source: adapter.source,
  failed,
  cases: entries.length,
  kernels: ledgerRows(entries),
  planned: { shape, rows: 2, tokens: TOKENS, dispatches },
};
// A part of the tests, or another shape, is recorded only where a place for it is named.
const out = options.out ?? (positionals.length === 0 && isGpt2Small(shape) ? RESULTS : undefined);
if (out !== undefined) {
  const file = path.join(out, `kernels-${adapterName(adapter.source, adapter.description)}.json`);
  save(file, `${JSON.stringify(result, undefined, 1)}\n`);
  console.log(`\nwritten to ${path.relative(process.cwd(), file)}`);
}
if (failed.length > 0) process.exitCode = 1;

/** Runs the kernel tests, or those whose file name contains one of `only`: every comparison, the adapter, and the packages that failed. */
function checkKernels(only: readonly string[]) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'limn-kernels-'));
  const [ledger, report] = [path.join(scratch, 'ledger.jsonl'), path.join(scratch, 'report.jsonl')];
  const vitest = [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=dot', '--passWithNoTests'];
  const failed: string[] = [];
  try {
    for (const home of CHECKED) {
      console.log(`checking the kernels of ${home} …`);
      const { status } = spawnSync(process.execPath, [...vitest, ...only], {
        cwd: path.join(root, home),
        env: { ...process.env, LIMN_LEDGER: ledger, LIMN_TEST_REPORT: report },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      if (status === 0) continue;
      failed.push(home);
      console.log(`  some tests of ${home} failed: npm test -w @limn/${path.basename(home)}`);
    }
    const entries: LedgerEntry[] = existsSync(ledger) ? readLedger(ledger) : [];
    return { entries, adapter: adapterIn(report), failed };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The adapter that the tests say they opened. */
function adapterIn(report: string): { readonly source: string; readonly description: string } | undefined {
  if (!existsSync(report)) return undefined;
  const lines = readFileSync(report, 'utf8').split('\n').filter(Boolean);
  return lines
    .map((line) => JSON.parse(line) as { kind: string; source: string; description: string })
    .find(({ kind }) => kind === 'adapter');
}

/** Planned without a device, at WebGPU's default limits, for two rows of tokens. */
async function plannedDispatches(shape: Shape) {
  const { model } = await loadGpt2(dryGpu(), zeroModel(shape));
  const rows = [0, 1].map((row) => Array.from({ length: TOKENS }, (_, t) => row + t));
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
  return {
    forward: forward.plan().dispatches,
    forwardAndBackwardToEmbeddings: attribution.plan().dispatches,
    forwardAndBackwardToParameters: training.plan().dispatches,
  };
}
