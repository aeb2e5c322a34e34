// Random recordings against a CPU interpreter that gives every value its own memory: sharing buffers must never show.
import * as fc from 'fast-check';
import { recordResult, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import type { Gpu, Step, Storage } from '../src/index.js';
import { combine, increment } from './kernels.js';

/** One recorded action; numbers pick among the values that exist by then (modulo their count). */
type Action =
  | { kind: 'upload'; data: number[] }
  | { kind: 'combine'; x: number; z: number; a: number; b: number }
  | { kind: 'increment'; y: number; a: number }
  | { kind: 'copy'; from: number; to: number }
  | { kind: 'clear'; y: number }
  | { kind: 'keep'; y: number }
  | { kind: 'read'; y: number };

const pick = fc.nat({ max: 1000 });
const sign = fc.constantFrom(-1, 0, 1);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('upload' as const),
    data: fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 200 }),
  }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('combine' as const), x: pick, z: pick, a: sign, b: sign }) },
  fc.record({ kind: fc.constant('increment' as const), y: pick, a: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ kind: fc.constant('copy' as const), from: pick, to: pick }),
  fc.record({ kind: fc.constant('clear' as const), y: pick }),
  fc.record({ kind: fc.constant('keep' as const), y: pick }),
  fc.record({ kind: fc.constant('read' as const), y: pick }),
);
// At most 17 combines of values up to 8 + 3·24: whole numbers below 2^24, so that f32 is exact.
const program = fc.array(action, { minLength: 1, maxLength: 17 });

interface Value {
  readonly storage: Storage;
  readonly expected: Float32Array;
}

function replay(
  step: Step,
  actions: readonly Action[],
): { reads: { got: Promise<ArrayBuffer>; expected: Float32Array }[]; kept: Value[] } {
  const seed = new Float32Array([3, -1, 4, 1, -5]);
  const values: Value[] = [{ storage: step.upload(seed), expected: seed.slice() }];
  const reads: { got: Promise<ArrayBuffer>; expected: Float32Array }[] = [];
  const kept = new Set<Value>();
  const at = (n: number): Value => values[n % values.length]!;
  const read = (value: Value): void =>
    void reads.push({ got: step.read(value.storage), expected: value.expected.slice() });
  for (const act of actions) {
    switch (act.kind) {
      case 'upload': {
        const data = new Float32Array(act.data);
        values.push({ storage: step.upload(data), expected: data.slice() });
        data.fill(99); // the step must have taken a copy
        break;
      }
      case 'combine': {
        const x = at(act.x);
        const z = at(act.z);
        const count = Math.min(x.expected.length, z.expected.length);
        const storage = step.allocate(count * 4);
        step.dispatch(combine, { x: x.storage, z: z.storage, y: storage }, { count, a: act.a, b: act.b });
        values.push({
          storage,
          expected: Float32Array.from({ length: count }, (_, i) => act.a * x.expected[i]! + act.b * z.expected[i]!),
        });
        break;
      }
      case 'increment': {
        const y = at(act.y);
        step.dispatch(increment, { y: y.storage }, { count: y.expected.length, a: act.a });
        y.expected.forEach((v, i) => (y.expected[i] = v + act.a));
        break;
      }
      case 'copy': {
        const from = at(act.from);
        const to = at(act.to);
        if (from === to) break;
        const count = Math.min(from.expected.length, to.expected.length);
        step.copy(from.storage, to.storage, { byteLength: count * 4 });
        to.expected.set(from.expected.subarray(0, count));
        break;
      }
      case 'clear':
        step.clear(at(act.y).storage);
        at(act.y).expected.fill(0);
        break;
      case 'keep':
        step.keep(at(act.y).storage);
        kept.add(at(act.y));
        break;
      case 'read':
        read(at(act.y));
        break;
    }
  }
  read(values.at(-1)!);
  return { reads, kept: [...kept] };
}

async function check(gpu: Gpu, actions: readonly Action[], workBudgetFlops: number): Promise<void> {
  using step = gpu.step({ workBudgetFlops });
  const { reads, kept } = replay(step, actions);
  const report = step.plan();
  expect(report.bytesPeak).toBeGreaterThanOrEqual(report.bytesLowerBound);
  const got = await Promise.all(reads.map((r) => r.got));
  reads.forEach(({ expected }, i) =>
    expect([...new Float32Array(got[i]!)].map(plain)).toEqual([...expected].map(plain)),
  );
  for (const { storage, expected } of kept) {
    expect([...(await gpu.read(storage, 'f32'))].map(plain)).toEqual([...expected].map(plain));
    storage.dispose();
  }
}

/** −0 is 0 here: 0·(−1) has a sign that no one relies on. */
const plain = (x: number): number => x + 0;

test('random recordings give what separate memory gives, whole or in cuts', async () => {
  const gpu = await testGpu();
  const runs = globalThis.process?.env['LIMN_LONG'] === '1' ? 1000 : 60;
  await fc.assert(
    fc.asyncProperty(program, fc.constantFrom(1e9, 150), (actions, budget) => check(gpu, actions, budget)),
    { numRuns: runs, seed: 20_25 },
  );
  recordResult('random recordings', { runs });
});
