// The page: bundled without anything from elsewhere, and in a real browser it loads, predicts, answers the slider, or says why it cannot.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from '@limn/tooling/chromium';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serveFolder, type StaticServer } from './static-server.js';

const executablePath = findChromium();
const webGpu = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe('the browser page', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'limn-page-'));
    execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../browser/build.mjs'), folder], {
      stdio: 'ignore',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is a page, a style sheet, a script and a model, and names no other server', () => {
    expect(readdirSync(folder).sort()).toEqual(['index.html', 'main.js', 'main.js.map', 'model', 'style.css']);
    const page = readFileSync(path.join(folder, 'index.html'), 'utf8');
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(page).not.toMatch(/<script>|style="|\son\w+="/);
  });

  describe('in Chromium', () => {
    let server: StaticServer;
    const browsers: Browser[] = [];
    beforeEach((context) => context.skip(executablePath === undefined, 'no Chromium found; set CHROME_PATH to one'));
    beforeAll(async () => void (server = await serveFolder(folder)));
    afterAll(async () => {
      await Promise.all(browsers.map((browser) => browser.close()));
      await server.close();
    });

    /** Opens the page and waits until it has settled; what the browser complains about is collected. */
    async function openPage(
      args: readonly string[],
    ): Promise<{ page: Page; complaints: string[]; ready: string | undefined }> {
      const browser = await chromium.launch({
        executablePath: executablePath as string,
        args: ['--no-sandbox', ...args],
      });
      browsers.push(browser);
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(server.url);
      await page.waitForFunction(() => document.documentElement.dataset['ready'] !== undefined);
      return { page, complaints, ready: await page.evaluate(() => document.documentElement.dataset['ready']) };
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
