import { defineConfig } from 'vitest/config';

/** Milliseconds a test or a hook may take: GPT-2's sizes take a software adapter minutes. */
const patience = process.env['LIMN_LONG'] === '1' ? 600_000 : 60_000;

/** One process, one device: GPU tests never run beside one another. `limn-source` makes tests run from src, without a build. */
export default defineConfig({
  resolve: { conditions: ['limn-source', 'module', 'import', 'default'] },
  ssr: { resolve: { conditions: ['limn-source', 'module', 'import', 'default'] } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: patience,
    hookTimeout: patience,
    passWithNoTests: true,
    // What was measured on the machine that runs the tests decides nothing in them.
    env: { LIMN_KERNELS: 'built-in' },
  },
});
