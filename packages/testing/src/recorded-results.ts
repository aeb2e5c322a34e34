// Figures that a test wants kept: `npm run test:long` writes them into bench/results/tests-long-<adapter>.json.

/** Records `value` under `name` (the last one of a name stays); does nothing outside `npm test`. */
export function recordResult(name: string, value: Readonly<Record<string, number | string>>): void {
  const path = typeof process === 'undefined' ? undefined : process.env['LIMN_TEST_REPORT'];
  if (!path) return;
  const line = JSON.stringify({ kind: 'result', name, value });
  process.getBuiltinModule('node:fs').appendFileSync(path, `${line}\n`);
}
