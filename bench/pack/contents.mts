// What goes into the pack: the benches, the kernel tests, what of the tests stays behind and why, and how large the whole may be.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** A bench of the pack: `./run bench NAME …`. */
export interface PackedBench {
  readonly name: string;
  /** Below the repository's root. */
  readonly file: string;
}

/** The first is what `./run bench` runs without a name. */
export const BENCHES: readonly PackedBench[] = [
  { name: 'bench', file: 'bench/bench.mts' },
  { name: 'matmul', file: 'bench/matmul.mts' },
  { name: 'shapes', file: 'bench/shapes.mts' },
];

/** Tests that check what kernels compute, and the engine that runs them: single files, and folders whose own test files all count. */
export const KERNEL_TESTS: readonly string[] = [
  'packages/gpu/test',
  'packages/tensor/test',
  'packages/tensor/test/ops',
  'packages/attribution/test/kernels.test.ts',
];

/** A test that the pack cannot run. */
export interface LeftOut {
  readonly file: string;
  /** Its name without those of the groups around it; every test of the file when it is not given. */
  readonly test?: string;
  readonly reason: string;
}

/** Counted as skipped, with the reason. */
export const LEFT_OUT: readonly LeftOut[] = [
  ...['shaders-repeat', 'shaders-table'].map((name) => ({
    file: `packages/tensor/test/${name}.test.ts`,
    reason: 'it checks how shaders are made from their sources in a checkout, and runs nothing on a GPU',
  })),
  {
    file: 'packages/tensor/test/readme.test.ts',
    test: 'names every function of the public list',
    reason: 'it checks a README, and runs nothing on a GPU',
  },
  {
    file: 'packages/gpu/test/device.test.ts',
    test: 'the browser entry contains no Node module',
    reason: 'it bundles sources, which stay in the checkout',
  },
  ...[
    'where no driver answers, SwiftShader stands in, says so once, and the process ends by itself',
    "'system' never falls back",
    "'swiftshader' is SwiftShader although another driver is there, in silence",
  ].map((test) => ({
    file: 'packages/gpu/test/device.test.ts',
    test,
    reason: 'it starts a process from TypeScript sources, which stay in the checkout',
  })),
];

/** Imported by benches where they are installed; none travels. */
export const PEERS: readonly string[] = [
  'onnxruntime-node',
  'onnxruntime-web',
  '@jax-js/jax',
  '@tensorflow/*',
  '@huggingface/*',
];

/** The kernel tests of a checkout, by path below its root; what is left out as a whole is not among them. Throws when a place holds none. */
export function kernelTestFiles(root: string): string[] {
  const whole = LEFT_OUT.filter(({ test }) => test === undefined).map(({ file }) => file);
  return KERNEL_TESTS.flatMap((place) => {
    const here = path.join(root, place);
    const files = !existsSync(here)
      ? []
      : place.endsWith('.ts')
        ? [place]
        : readdirSync(here).map((name) => path.posix.join(place, name));
    const tests = files.filter((file) => file.endsWith('.test.ts')).sort();
    if (tests.length === 0) throw new Error(`there is no kernel test at ${place}`);
    return tests.filter((file) => !whole.includes(file));
  });
}
