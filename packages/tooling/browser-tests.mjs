// Chooses which test files run in a browser and configures vitest for headless Chromium with WebGPU.
import { join } from 'node:path';
import { playwright } from '@vitest/browser-playwright';
import { filesBelow } from './files.mjs';
import { isNodeOnly, reachable } from './imports.mjs';

const core = ['gpu', 'tensor', 'hooks'];
const conditions = ['limn-source', 'browser', 'module', 'import', 'default'];
/** The core packages' test files that reach nothing which only Node has. */
export function browserTests(root) {
  return core
    .flatMap((name) => filesBelow(join(root, 'packages', name, 'test'), /\.test\.ts$/))
    .filter((file) => !reachable(file).some(([, specifier]) => isNodeOnly(specifier)));
}

/** Vite and vitest settings for these files in the Chromium at `executablePath`. */
export function browserConfig(root, executablePath, files) {
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
  const test = {
    include: files,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      isolate: false,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath, args } }),
      instances: [{ browser: 'chromium' }],
    },
  };
  const environment = JSON.stringify(process.env.LIMN_LONG ? { LIMN_LONG: process.env.LIMN_LONG } : {});
  return { root, resolve: { conditions }, define: { 'process.env': environment }, logLevel: 'error', test };
}
