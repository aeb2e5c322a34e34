import { defineConfig } from 'vitest/config';

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
    testTimeout: 60_000,
    hookTimeout: 60_000,
    passWithNoTests: true,
  },
});
