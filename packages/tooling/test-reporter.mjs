// A vitest reporter that keeps one tally over all packages and prints a line per package, failures in full, skips with reasons.
import { relative } from 'node:path';
import { bold, dim, indent, mark, plain, red, seconds, yellow } from './terminal.mjs';

/** Counts and lists shared by every run of one `npm test`. */
export const newTally = () => ({ passed: 0, failed: 0, skipped: [], failures: [], tests: 0 });

/**
 * `label` goes before the package's name (the runtime, where it is not Node). `patience` is how many milliseconds one
 * test file may go without ending before the run is given up: a hang in native code never reaches vitest's own timeout.
 */
export function reporter(root, tally, { label = '', patience }) {
  const pending = new Map();
  const queued = new Set();
  let current;
  let watchdog;
  let printed = [];
  const packageOf = (module) =>
    relative(root, module.moduleId)
      .replace(/^packages\//, '')
      .split('/')[0];
  const fileOf = (module) => relative(root, module.moduleId);

  function finishPackage() {
    if (!current) return;
    const { name, passed, failed, skipped, files, started } = current;
    const parts = [
      `${passed} passed`,
      failed ? red(`${failed} failed`) : '',
      skipped ? yellow(`${skipped} skipped`) : '',
    ];
    const counts = parts.filter(Boolean).join(', ');
    const took = seconds(performance.now() - started);
    console.log(
      `  ${mark(failed === 0)} ${name.padEnd(18)} ${took.padStart(7)}  ${counts} ${dim(`in ${files} files`)}`,
    );
    current = undefined;
  }

  function fail(where, text) {
    tally.failed++;
    if (current) current.failed++;
    tally.failures.push({ where, text });
    console.log(`\n  ${red('✗')} ${bold(where)}\n${indent(text, 6)}\n`);
  }

  return {
    onTestRunStart(specifications) {
      for (const specification of specifications) queued.add(fileOf(specification));
    },
    onTestModuleCollected(module) {
      start(module);
    },
    onTestModuleStart: start,
    onTestModuleEnd(module) {
      const file = fileOf(module);
      start(module);
      clearTimeout(watchdog);
      pending.delete(file);
      queued.delete(file);
      current.files++;
      const before = tally.failed;
      for (const error of module.errors()) fail(file, describe(error));
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) fail(`${file} › ${suite.fullName}`, describe(error));
      for (const test of module.children.allTests()) {
        const result = test.result();
        tally.tests++;
        if (result.state === 'passed') {
          tally.passed++;
          current.passed++;
        } else if (result.state === 'failed')
          fail(`${file} › ${test.fullName}`, result.errors.map((error) => describe(error)).join('\n'));
        else {
          current.skipped++;
          tally.skipped.push({ where: `${file} › ${test.fullName}`, reason: result.note ?? 'no reason given' });
        }
      }
      if (tally.failed > before && printed.length)
        console.log(indent(`${dim('printed by this file:')}\n${printed.slice(-30).join('\n')}`, 6));
      printed = [];
    },
    onUserConsoleLog(log) {
      printed.push(...plain(log.content).trimEnd().split('\n'));
    },
    onTestRunEnd(_modules, errors) {
      clearTimeout(watchdog);
      for (const file of pending.keys())
        fail(
          file,
          'The process that ran this file ended before the file did: a crash in native code, or a call to process.exit.',
        );
      for (const file of queued)
        if (!pending.has(file))
          fail(file, 'This file was never run, because the process that should run it had ended.');
      const explained = (error) => pending.size && /exited unexpectedly/.test(error.cause?.message ?? error.message);
      for (const error of errors) if (!explained(error)) fail('outside any test', describe(error));
      finishPackage();
    },
  };

  function start(module) {
    const name = label + packageOf(module);
    if (current?.name !== name) {
      finishPackage();
      current = { name, passed: 0, failed: 0, skipped: 0, files: 0, started: performance.now() };
    }
    const file = fileOf(module);
    if (pending.has(file)) return;
    pending.set(file, performance.now());
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      fail(file, `No end after ${seconds(patience)}; the run is given up here.`);
      tally.giveUp?.();
    }, patience);
  }
}

/** Message, difference and the frames that lie in the repository. */
function describe(error) {
  const frames = (error.stacks ?? []).filter((frame) => !frame.file.includes('node_modules'));
  const at = frames.slice(0, 4).map((frame) => dim(`at ${frame.file}:${frame.line}:${frame.column}`));
  const message = error.message || String(error.name ?? 'unknown error');
  const cause = error.cause ? `caused by: ${error.cause.message ?? error.cause}` : '';
  const trace = at.length ? at : [dim((error.stack ?? '').split('\n').slice(1, 6).join('\n'))];
  return [
    error.code ? `[${error.code}] ${message}` : message,
    cause,
    error.diff ? firstLines(plain(error.diff), 40) : '',
    ...trace,
  ]
    .filter(Boolean)
    .join('\n');
}

const firstLines = (text, count) => text.split('\n').slice(0, count).join('\n');

/** Skips grouped by reason, most frequent first. */
export function skipLines(skipped) {
  const groups = new Map();
  for (const entry of skipped) groups.set(entry.reason, [...(groups.get(entry.reason) ?? []), entry]);
  return [...groups]
    .sort((a, b) => b[1].length - a[1].length)
    .flatMap(([reason, all]) => [
      `  ${yellow('–')} ${reason}${all.length > 1 ? dim(` (${all.length})`) : ''}`,
      ...all.slice(0, 12).map((s) => dim(`      ${s.where}`)),
      ...(all.length > 12 ? [dim(`      and ${all.length - 12} more`)] : []),
    ]);
}
