// The core packages' tests in headless Chromium, on its own SwiftShader. A file of its own, because vitest's browser server reads settings only from one.
import { resolve } from 'node:path';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import { browserTests } from './browser-tests.mjs';
import { findChromium } from './chromium.mjs';

const root = resolve(import.meta.dirname, '../..');
const args = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--ignore-gpu-blocklist',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Package after package, so that each is reported once. */
class ByPath extends BaseSequencer {
  async sort(files) {
    return [...files].sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  }
}

export default defineConfig({
  root,
  resolve: { conditions: ['limn-source', 'browser', 'module', 'import', 'default'] },
  // Also without LIMN_LONG: what is slow runs in Node, where each adapter can be asked for.
  define: { 'process.env': '{}' },
  logLevel: 'error',
  test: {
    include: browserTests(root),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    sequence: { sequencer: ByPath },
    browser: {
      enabled: true,
      headless: true,
      isolate: false,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath: findChromium(), args } }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
