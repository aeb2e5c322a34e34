// The pages: bundled without anything from elsewhere, and in a real browser, under the server's policy, they do what Node does, or say why they cannot.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from '@limn/tooling/chromium';
import { chromium, type Browser, type Page, type Worker } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serveFolder, type StaticServer } from '@limn/tooling/static-server';
import type { Told } from '../browser/told.js';
import { fiveCapitals } from './readme.js';
import { toldInNode } from './told-in-node.js';

const executablePath = findChromium();
const webGpu = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Another origin, which lets every page read its answer. */
async function serveAnybody(): Promise<{ readonly url: string; close(): Promise<unknown> }> {
  const server = createServer((_, response) =>
    response.writeHead(200, { 'access-control-allow-origin': '*' }).end('open'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  return { url, close: () => new Promise((resolve) => server.close(resolve)) };
}

describe('the browser pages', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'limn-page-'));
    execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../browser/build.mjs'), folder], {
      stdio: 'ignore',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are pages, a style sheet, scripts and a model, and name no other server', () => {
    expect(readdirSync(folder).sort()).toEqual(['icon.svg', 'index.html', 'js', 'model', 'style.css', 'worker.html']);
    expect(readdirSync(path.join(folder, 'js')).filter((name) => name.endsWith('.js'))).toEqual([
      'main.js',
      'worker-page.js',
      'worker.js',
    ]);
    for (const name of ['index.html', 'worker.html']) {
      const page = readFileSync(path.join(folder, name), 'utf8');
      expect(page).not.toMatch(/(src|href)="(https?|data):/);
      expect(page).not.toMatch(/<script>|style="|\son\w+="/);
    }
    expect(readFileSync(path.join(folder, 'index.html'), 'utf8')).toContain("default-src 'none'");
  });

  it('have the same six lines as the README and the example', () => {
    const root = path.resolve(import.meta.dirname, '../..');
    const from = (file: string): string[] => {
      const text = readFileSync(path.join(root, file), 'utf8').replaceAll('&gt;', '>');
      const lines = text.slice(text.indexOf('const gpu = await openGpu();')).split('\n').slice(0, 6);
      return lines.map((line) => line.replace(/<\/?(code|pre)>/g, '').trim());
    };
    const lines = from('README.md');
    expect(lines.at(-1)).toMatch(/^console\.log\(/);
    for (const file of ['00-six-lines.ts', 'browser/worker.ts', 'browser/worker.html'])
      expect(from(`examples/${file}`), file).toEqual(lines);
  });

  describe('in Chromium', () => {
    let server: StaticServer;
    const browsers = new Map<string, Browser>();
    let worker: Worker | undefined;
    beforeEach((context) => context.skip(executablePath === undefined, 'no Chromium found; set CHROME_PATH to one'));
    beforeAll(async () => void (server = await serveFolder(folder)));
    afterAll(async () => {
      await Promise.all([...browsers.values()].map((browser) => browser.close()));
      await server.close();
    });

    /** Opens the page and waits until it has settled; what the browser complains about is collected. */
    async function openPage(
      args: readonly string[],
      name = '',
    ): Promise<{ page: Page; complaints: string[]; printed: string[]; ready: string | undefined }> {
      const key = args.join(' ');
      const browser =
        browsers.get(key) ??
        (await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox', ...args] }));
      browsers.set(key, browser);
      const page = await browser.newPage();
      const complaints: string[] = [];
      const printed: string[] = [];
      page.on('console', (message) => (message.type() === 'log' ? printed : complaints).push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      // A worker's own network errors reach its console only.
      page.on('response', (response) => response.ok() || complaints.push(`${response.status()} ${response.url()}`));
      await page.addInitScript(recordViolationsAndMessages);
      await page.goto(`${server.url}${name}`);
      await page.waitForFunction(() => document.documentElement.dataset['ready'] !== undefined);
      const ready = await page.evaluate(() => document.documentElement.dataset['ready']);
      complaints.push(...(await page.evaluate(() => (globalThis as unknown as Recorded).violations)));
      return { page, complaints, printed, ready };
    }

    it('predicts the next word, and the slider changes the prediction', async () => {
      const { page, complaints, ready } = await openPage(webGpu);
      expect(ready).toBe('true');
      expect(await page.textContent('#guesses th')).toBe('Olga');
      const columns = async (): Promise<(string | null)[]> => page.locator('#guesses td.now').allTextContents();
      const before = await columns();
      await page.selectOption('#part', '0 mlp');
      await page.fill('#strength', '0');
      await page.waitForFunction((old) => document.querySelector('#guesses td.now')?.textContent !== old, before[0]);
      expect(await columns()).not.toEqual(before);
      expect(complaints).toEqual([]);
    });

    it('does in a worker what Node does: runs, generates and trains', async () => {
      const { page, complaints, printed, ready } = await openPage(webGpu, 'worker.html');
      worker = page.workers()[0];
      expect({ ready, complaints }).toEqual({ ready: 'true', complaints: [] });
      expect(printed).toHaveLength(1);
      expect(printed[0]).toMatch(new RegExp(`^${fiveCapitals} `));
      const told = await page.evaluate(() => (globalThis as unknown as Recorded).told);
      expect(told.pop()?.kind).toBe('done');
      const [here, there] = [partsOf(await toldInNode()), partsOf(told)];
      expect(there.words).toEqual(here.words);
      // f32 round-off, as for losses beside PyTorch's; between two adapters it is 2e-6 at most, after five updates, too.
      there.numbers.forEach((number, i) =>
        expect(Math.abs(number - here.numbers[i]!)).toBeLessThanOrEqual(1e-5 * Math.abs(here.numbers[i]!)),
      );
      expect(await page.locator('#losses td').count()).toBe(5);
    });

    it('gives the worker no way to make code of text, or to reach another server', async () => {
      // A server that answers anybody: only the policy keeps the worker from it.
      const open = await serveAnybody();
      expect(await (await fetch(open.url)).text()).toBe('open');
      const tried = await worker!.evaluate(async (address) => {
        const named = (error: unknown): string => (error as Error).name;
        return {
          // Out of the debugger's call, which is allowed to.
          function: await new Promise((resolve) => setTimeout(resolve))
            .then(() => new Function('return 1')())
            .catch(named),
          blob: await new Promise((resolve) => {
            const nested = new Worker(URL.createObjectURL(new Blob(['postMessage(1)'])));
            nested.addEventListener('message', () => resolve('ran'));
            nested.addEventListener('error', () => resolve('refused'));
          }).catch(named),
          fetch: await fetch(address).then(String, named),
        };
      }, open.url);
      await open.close();
      expect(tried).toEqual({ function: 'EvalError', blob: 'refused', fetch: 'TypeError' });
    });

    it('says so, and nothing else, where there is no WebGPU', async () => {
      const { page, ready } = await openPage([
        '--disable-gpu',
        '--disable-features=WebGPU',
        '--disable-blink-features=WebGPU',
      ]);
      expect(ready).toMatch(/^gpu\/no-/);
      expect(await page.textContent('#status')).toContain('no WebGPU');
      expect(await page.isVisible('#prompt')).toBe(false);
    });
  });
});

/** What the test's own script in the page has seen. */
interface Recorded {
  violations: string[];
  told: Told[];
}

/** Words of all messages, in order, and their numbers; adapters differ. */
function partsOf(told: readonly Told[]): { words: string; numbers: number[] } {
  const numbers: number[] = [];
  const words = JSON.stringify(told, (key, value: unknown) => {
    if (key === 'adapter') return undefined;
    if (typeof value === 'number') numbers.push(value);
    return typeof value === 'number' ? 0 : value;
  });
  return { words, numbers };
}

/** Runs in the page before its scripts. */
function recordViolationsAndMessages(): void {
  const recorded = globalThis as unknown as Recorded;
  recorded.violations = [];
  recorded.told = [];
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    recorded.violations.push(`${violatedDirective} ${blockedURI}`),
  );
  const { Worker: Native } = globalThis;
  globalThis.Worker = class extends Native {
    constructor(...given: ConstructorParameters<typeof Native>) {
      super(...given);
      this.addEventListener('message', ({ data }: MessageEvent<Told>) => recorded.told.push(data));
    }
  };
}
