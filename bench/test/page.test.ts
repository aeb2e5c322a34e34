// The benches' page, bundled without anything from elsewhere: in a real browser it times kernels, shows and hands out the result, and lays others beside it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from '@limn/tooling/chromium';
import { serveFolder, type StaticServer } from '@limn/tooling/static-server';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseRecord } from '../harness/record.mjs';

const executablePath = findChromium();
const withWebGpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'];

const stored = {
  kind: 'limn.bench',
  version: 1,
  date: '2026-01-02T03:04:05.000Z',
  adapter: {
    vendor: 'acme',
    architecture: 'anvil',
    device: 'Anvil',
    description: '<b>Anvil</b> 9000',
    source: 'system',
    isSoftware: false,
    f16: true,
    subgroups: [32, 32],
    timestamps: true,
  },
  environment: { runtime: 'Node', platform: 'linux x64', cores: 2, limn: '0.1.0' },
  rounds: 7,
  ceilings: [],
  jobs: [
    {
      name: 'softmax 512 × 768',
      group: 'kernels',
      work: { bytes: 3145728 },
      clock: 'gpu',
      time: { median: 0.01, low: 0.009, high: 0.011, least: 0.009 },
      checked: '',
      beside: [],
      programs: [],
    },
  ],
  failures: [],
  missing: [],
};

describe('the benches’ page', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'limn-bench-page-'));
    execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../page/build.mjs'), folder], {
      stdio: 'ignore',
    });
    mkdirSync(path.join(folder, 'results'), { recursive: true });
    writeFileSync(path.join(folder, 'results/index.json'), '["anvil"]');
    writeFileSync(path.join(folder, 'results/anvil.json'), JSON.stringify(stored));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is a page, a style sheet and a script, and names no other server', () => {
    expect(readdirSync(folder).sort()).toEqual(['icon.svg', 'index.html', 'js', 'results', 'style.css']);
    const page = readFileSync(path.join(folder, 'index.html'), 'utf8');
    expect(page).not.toMatch(/(src|href)="(https?|data):/);
    expect(page).not.toMatch(/<script>|style="|\son\w+="/);
  });

  describe('in Chromium', () => {
    let server: StaticServer;
    const browsers: Browser[] = [];
    beforeEach((context) => context.skip(executablePath === undefined, 'no Chromium found; set CHROME_PATH to one'));
    beforeAll(async () => void (server = await serveFolder(folder)));
    afterAll(async () => {
      for (const browser of browsers) await browser.close();
      await server.close();
    });

    async function open(args: readonly string[]): Promise<{ page: Page; faults: string[] }> {
      const browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox', ...args] });
      browsers.push(browser);
      const page = await (await browser.newContext({ acceptDownloads: true })).newPage();
      const faults: string[] = [];
      page.on('pageerror', ({ message }) => faults.push(message));
      await page.goto(server.url);
      return { page, faults };
    }

    it('times a kernel, saves the run, and shows it beside one that came with the page', async () => {
      const { page, faults } = await open(withWebGpu);
      await page.waitForSelector('#run:enabled');
      await page.selectOption('#rounds', '3');
      await page.fill('#filter', 'softmax 512');
      await page.uncheck('#with-ceilings');
      await page.click('#run');
      await page.waitForFunction(
        () => /One kernel in/.test(document.querySelector('#status')!.textContent!),
        undefined,
        {
          timeout: 60_000,
        },
      );
      expect(await page.locator('#failures li').allTextContents()).toEqual([]);
      const row = await page.locator('#jobs tr').allTextContents();
      expect(row).toHaveLength(1);
      expect(row[0]).toMatch(/softmax 512 × 768.*ms.*copy kernel/);

      const waiting = page.waitForEvent('download');
      await page.click('#save');
      const download = await waiting;
      const saved = parseRecord(readFileSync(await download.path(), 'utf8'));
      expect(saved.jobs.map(({ name }) => name)).toEqual(['softmax 512 × 768']);
      expect(saved.jobs[0]!.checked).toMatch(/against float64/);
      expect(saved.adapter.isSoftware).toBe(true);

      // The stored run is the first column; markup in its name is text.
      expect(await page.locator('#beside thead th').allTextContents()).toEqual([
        '',
        '<b>Anvil</b> 9000',
        expect.stringMatching(/swiftshader/i),
      ]);
      expect(await page.locator('#beside tbody tr').last().textContent()).toMatch(/softmax.*10\.0 µs.*ms.*×/);
      expect(faults).toEqual([]);
    });

    it('says why it cannot run without an adapter, shows stored runs all the same, and refuses what is none', async () => {
      const { page, faults } = await open([
        '--disable-gpu',
        '--disable-features=Vulkan,WebGPU',
        '--disable-blink-features=WebGPU',
      ]);
      await page.waitForSelector('#status.problem');
      expect(await page.textContent('#status')).toMatch(/can still be looked at/);
      expect(await page.isDisabled('#run')).toBe(true);
      await page.waitForSelector('#beside tbody tr');
      await page.setInputFiles('#files', {
        name: 'x.json',
        mimeType: 'application/json',
        buffer: Buffer.from('{"kind":"x"}'),
      });
      await page.waitForFunction(() => document.querySelector('#status')!.textContent!.startsWith('x.json'));
      expect(await page.textContent('#status')).toBe('x.json: not a result of limn\'s benches: its kind is "x".');
      expect(faults).toEqual([]);
    });
  });
});
