// `./run tests`: the kernel tests on the adapter that was asked for; the last line is `N passed, N failed, N skipped`.
import path from 'node:path';
import { kernelLedger, ledgerRows, testGpu } from '@limn/testing';
import tests from 'pack:tests';
import { adapterRecord, adapterSlug } from '../../harness/adapter.mjs';
import { save } from '../../result-file.mjs';
import { LEFT_OUT } from '../contents.mjs';
import { results } from './machine.mjs';
import { runTestFiles } from './run-tests.mjs';

/** Runs those whose file name has one of `parts` in it, or all; true when none failed and one ran. */
export async function runKernelTests(parts: readonly string[]): Promise<boolean> {
  const wanted = (file: string): boolean => parts.length === 0 || parts.some((part) => file.includes(part));
  const start = performance.now();
  // As in a checkout: what was measured on this machine stays out, unless it is asked for.
  process.env['LIMN_KERNELS'] ||= 'built-in';
  // Fails when the adapter is not the one asked for.
  const adapter = adapterRecord(await testGpu());
  console.log(`kernel tests on ${adapter.description || adapter.device} (${adapter.source})`);
  const run = await runTestFiles(
    tests.filter(([file]) => wanted(file)),
    {
      leftOut: LEFT_OUT,
      patience: process.env['LIMN_LONG'] === '1' ? 600_000 : 60_000,
      onFile: (file, { passed, failed, skipped }, milliseconds) => {
        const counts = `${passed} passed${failed.length ? `, ${failed.length} FAILED` : ''}${skipped.length ? `, ${skipped.length} skipped` : ''}`;
        console.log(
          `${failed.length ? '✗' : '✓'} ${file.padEnd(56)} ${(milliseconds / 1000).toFixed(1).padStart(6)} s  ${counts}`,
        );
        failed.forEach(({ name, text }) => console.log(`  ${name}\n${text.replaceAll(/^/gm, '    ')}`));
      },
    },
  );
  const whole = LEFT_OUT.filter(({ file, test }) => test === undefined && wanted(file));
  const skipped = [...run.skipped, ...whole.map(({ file, reason }) => ({ name: file, text: reason }))];
  if (skipped.length > 0) console.log('\nSkipped');
  const reasons = new Map<string, number>();
  for (const { text } of skipped) reasons.set(text, (reasons.get(text) ?? 0) + 1);
  for (const [text, count] of reasons) console.log(`  ${String(count).padStart(4)}  ${text}`);

  const seconds = (performance.now() - start) / 1000;
  const kernels = ledgerRows(kernelLedger);
  const worst = kernels.reduce((top, row) => Math.max(top, row.ratio), 0);
  const { passed, failed } = run;
  const record = {
    adapter,
    node: process.version,
    parts,
    seconds,
    passed,
    failed,
    skipped,
    comparisons: kernelLedger.length,
    kernels,
  };
  const file = path.join(results, adapterSlug(adapter), 'kernel-tests.json');
  save(file, `${JSON.stringify(record, undefined, 1)}\n`);
  console.log(
    `\n${kernelLedger.length} comparisons of kernels with the reference; largest error / bound ${worst.toFixed(3)}`,
  );
  console.log(`written to ${path.relative(process.cwd(), file)}`);
  console.log(`Adapter: ${adapter.description || adapter.device} (${adapter.source})   Time: ${seconds.toFixed(1)} s`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0 && passed > 0;
}
