// `npm test`: builds, checks the repository, runs every package's tests on one adapter and ends with the counts.
// Arguments: --long (also what is slow, with recorded results), and parts of file names to run only those test files.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { startVitest } from 'vitest/node';
import { findChromium } from './chromium.mjs';
import { workspaces } from './files.mjs';
import { bold, dim, indent, mark, red, seconds } from './terminal.mjs';
import { newTally, reporter, skipLines } from './test-reporter.mjs';

const root = resolve(import.meta.dirname, '../..');
const typedoc = 'docs/node_modules/typedoc/bin/typedoc';
const long = process.argv.includes('--long');
const filters = process.argv.slice(2).filter((argument) => argument !== '--long');
const unknown = filters.find((argument) => argument.startsWith('-'));
if (unknown) {
  console.error(`npm test: there is no option ${unknown}; it takes --long, and parts of file names.`);
  process.exit(2);
}
const asked = process.env.LIMN_ADAPTER || 'auto';
const started = performance.now();
const tally = newTally();
const scratch = mkdtempSync(join(tmpdir(), 'limn-tests-'));
const channel = join(scratch, 'report.jsonl');

process.chdir(root);
Object.assign(process.env, {
  LIMN_ADAPTER: asked,
  // What was measured on this machine decides nothing in tests.
  LIMN_KERNELS: 'built-in',
  LIMN_TEST_REPORT: channel,
  LIMN_LEDGER: process.env.LIMN_LEDGER || join(scratch, 'ledger.jsonl'),
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
});
if (long) process.env.LIMN_LONG = '1';
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
tally.giveUp = () => {
  summary();
  // The worker that hangs would outlive this process, with the device in its hands.
  spawnSync('pkill', ['-KILL', '-P', String(process.pid)]);
  process.exit(1);
};
/** Milliseconds that one test file may take before the run is given up. */
const patience = long ? 1_800_000 : 300_000;

console.log(
  bold(`limn tests${long ? ', the long ones too' : ''}`) +
    dim(`  adapter asked for: ${asked}, Node ${process.version}\n`),
);
await check('build', 'turbo', ['run', 'build', '--continue', '--output-logs=errors-only']);
// What needs no adapter takes one core and runs beside the rest; of packages with one, one runs at a time.
const withoutAdapter = ['packages/pocket', 'packages/report', 'packages/tasks', 'packages/tooling'];
const beside = checkRepository().then(() =>
  attempt('vitest', () => runTests((folder) => withoutAdapter.includes(folder))),
);
await attempt('vitest', () => runTests((folder) => !withoutAdapter.includes(folder)));
await beside;
await attempt('vitest in Chromium', runBrowserTests);
summary();
process.exit(tally.failed || !tally.tests ? 1 : 0);

/** What is checked without running any of it, one check after another. */
async function checkRepository() {
  await check('import boundaries', 'node', ['packages/tooling/check-boundaries.mjs']);
  await check('lock file', 'node', ['packages/tooling/check-lock.mjs']);
  await check('lint', 'oxlint', ['--deny-warnings']);
  await check('format', 'prettier', ['--check', '--log-level=warn', '.']);
  await check('types', 'node', ['packages/tooling/check-types.mjs']);
  await check('READMEs', 'node', ['packages/tooling/check-readmes.mjs']);
  await check('thrown codes', 'node', ['docs/check-throws.mjs']);
  await check('publishing', 'node', ['packages/tooling/check-publish.mjs']);
  if (long) await check('reference', 'node', [typedoc, '--options', 'docs/typedoc.json', '--emit', 'none']);
}

/** Runs one command quietly; its output is shown when it fails. Each check counts as one test. */
async function check(name, command, args) {
  const from = performance.now();
  const program = command === 'node' ? process.execPath : join(root, 'node_modules/.bin', command);
  const { code, output } = await new Promise((done) => {
    const child = spawn(program, args, { env: process.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', (error) => done({ code: -1, output: error.message }));
    child.on('close', (code, signal) => done({ code: code ?? signal, output }));
  });
  const ok = code === 0;
  const note = command === 'node' ? output.trim().split('\n').at(-1) : '';
  console.log(`  ${mark(ok)} ${name.padEnd(18)} ${seconds(performance.now() - from).padStart(7)}  ${dim(note)}`);
  if (ok) tally.passed++;
  else {
    tally.failed++;
    tally.failures.push({ where: name, text: essential(output) });
    console.log(`\n${indent(essential(output), 6)}\n`);
  }
}

/** Without what turbo, npm and stack traces say around the message of a tool. */
function essential(output) {
  const noise =
    /^\s*$|npm (warn|error)|cache (miss|hit)|^\s*•|^\S+:(build|typecheck): (>|\s+at |$)|Remote caching|finished with error|ERROR {2}command/;
  return output
    .split('\n')
    .filter((line) => !noise.test(line))
    .slice(0, 200)
    .join('\n');
}

/** A runner that cannot even start is a failure like any other. */
async function attempt(where, run) {
  try {
    await run();
  } catch (error) {
    tally.failed++;
    tally.failures.push({ where, text: error.message });
    console.log(`\n${indent(error.stack ?? String(error), 6)}\n`);
  }
}

/** Some packages in one run; one worker process at a time, so that one device exists at a time. */
async function runTests(chosen) {
  const projects = workspaces(root)
    .filter(({ folder }) => chosen(folder))
    .map(({ folder }) => `${folder}/vitest.config.ts`)
    .filter((path) => existsSync(path));
  const options = {
    root,
    config: false,
    watch: false,
    projects,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    passWithNoTests: true,
    reporters: [reporter(root, tally, { patience })],
  };
  const vitest = await startVitest(
    'test',
    filters,
    options,
    {},
    { stdout: process.stdout, stderr: withoutDawnsWarnings() },
  );
  await vitest?.close();
}

/** Dawn says of every Vulkan driver that it lowers two of its limits, before anything is asked for, and has no option against it; nothing follows. */
function withoutDawnsWarnings() {
  return new Writable({
    write(chunk, _, done) {
      const kept = String(chunk)
        .split('\n')
        .filter((line) => !/^Warning: maxDynamic\w+ artificially reduced/.test(line));
      if (kept.some(Boolean)) process.stderr.write(kept.join('\n'));
      done();
    },
  });
}

/** The core packages once more in headless Chromium, where one is found. */
async function runBrowserTests() {
  if (!findChromium()) {
    const where = 'gpu, tensor and hooks in a browser';
    tally.skipped.push({ where, reason: 'no Chromium found; set CHROME_PATH to one' });
    return;
  }
  const vitest = await startVitest('test', filters, {
    root,
    config: 'packages/tooling/vitest.browser.config.mjs',
    watch: false,
    passWithNoTests: true,
    reporters: [reporter(root, tally, { label: 'browser ', patience })],
  });
  await vitest?.close();
}

/** What the tests reported about themselves: adapters opened, notes, recorded results. */
function reports() {
  if (!existsSync(channel)) return [];
  return readFileSync(channel, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function summary() {
  const lines = reports();
  const adapters = lines.filter((line) => line.kind === 'adapter');
  const sources = new Set(adapters.map((line) => line.source));
  const wrong = adapters.find((line) => asked !== 'auto' && line.source !== asked);
  if (tally.skipped.length) console.log(['', bold('Skipped'), ...skipLines(tally.skipped)].join('\n'));
  const notes = [...lines.filter((line) => line.kind === 'note'), ...ledgerNote()];
  if (notes.length) console.log(['', bold('Notes'), ...notes.map((line) => indent(line.text, 2))].join('\n'));

  if (long && adapters.length) {
    const name = [...sources].join('+');
    const path = join(root, 'bench/results', `tests-long-${name}.json`);
    // A run of some files adds to what is recorded; a run of everything begins anew.
    const before = filters.length && existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
    const results = Object.fromEntries(
      lines.filter((line) => line.kind === 'result').map((line) => [line.name, line.value]),
    );
    const run = {
      passed: tally.passed,
      failed: tally.failed,
      skipped: tally.skipped.length,
      notes: notes.map((line) => line.text),
    };
    const record = {
      adapter: adapters[0],
      node: process.version,
      runs: { ...before.runs, [filters.join(' ') || 'everything']: run },
      results: { ...before.results, ...results },
    };
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`);
    console.log(`\nRecorded in bench/results/tests-long-${name}.json`);
  }

  if (wrong) refuse(`adapter '${asked}' was asked for and '${wrong.source}' (${wrong.description}) was used`);
  else if (asked !== 'auto' && !adapters.length && !filters.length)
    refuse(`adapter '${asked}' was asked for and no test opened one`);
  if (!tally.tests) refuse('no test ran');
  if (tally.failures.length)
    console.log(
      [
        '',
        bold('Failed'),
        ...tally.failures.map((f) => `  ${red('✗')} ${f.where}: ${dim(f.text.trim().split('\n')[0])}`),
      ].join('\n'),
    );
  const used = [
    ...new Set(
      adapters.map(
        (a) => `${a.description} (${a.source}; f16 ${a.f16 ? 'yes' : 'no'}, subgroups ${a.subgroups ? 'yes' : 'no'})`,
      ),
    ),
  ];
  console.log(`\nAdapter: ${used.join(', ') || 'none was opened'}   Time: ${seconds(performance.now() - started)}`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped.length} skipped`);
}

/** Kernel checks of all packages in one line. */
function ledgerNote() {
  const path = process.env.LIMN_LEDGER;
  if (!existsSync(path)) return [];
  const entries = readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const worst = entries.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const text = `${entries.length} comparisons of kernels with the reference; largest error / bound ${worst.ratio.toFixed(3)}`;
  return [{ text: `${text} (${worst.kernel}${worst.variant && `[${worst.variant}]`}, ${worst.case})` }];
}

function refuse(text) {
  tally.failed++;
  tally.failures.push({ where: 'the run itself', text });
}
