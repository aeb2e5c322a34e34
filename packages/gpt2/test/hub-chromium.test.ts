// In a real browser, a model of the hub goes into the private file system, goes on after a broken connection, and is not fetched twice.
import { findChromium } from '@limn/tooling/chromium';
import { build } from 'esbuild';
import { chromium } from 'playwright';
import path from 'node:path';
import { expect, test } from 'vitest';
import { modelFiles } from './hub/model.js';
import { cutAfter, sha256Of, TestHub } from './hub/server.js';

const executablePath = findChromium();

test('a page opens a model of the hub', async (context) => {
  context.skip(executablePath === undefined, 'no Chromium found; set CHROME_PATH to one');
  const files = modelFiles();
  const digest = sha256Of(files.get('model.safetensors') as Uint8Array);
  const bundle = await build({
    entryPoints: [path.join(import.meta.dirname, 'hub/page.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['limn-source'],
    logLevel: 'silent',
  });
  const hub = await TestHub.start(files);
  const browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
  try {
    hub.fail(/^hub \/page\.js$/, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(bundle.outputFiles[0]?.text);
    });
    hub.fail(/^hub \/$/, (_request, response) => {
      response.writeHead(200, {
        'content-type': 'text/html',
        'content-security-policy': `default-src 'none'; script-src 'self'; connect-src 'self' ${hub.contentsHost}`,
      });
      response.end('<!doctype html><title></title><script type="module" src="page.js"></script>');
    });
    hub.fail(/^contents/, cutAfter(hub, 'model.safetensors', 600_000), 1);
    const page = await browser.newPage();
    const open = async (): Promise<unknown> => {
      await page.goto(hub.endpoint);
      await page.waitForFunction(() => document.title !== '');
      return JSON.parse(await page.title());
    };
    const expected = {
      notices: [],
      first: digest,
      second: digest,
      names: ['config.json', 'merges.txt', 'model.safetensors', 'vocab.json'],
      stored: expect.arrayContaining([`${digest}.done`, `${hub.commit}.json`, 'main']) as unknown,
    };
    expect(await open()).toEqual(expected);
    // The connection breaks behind 600,000 bytes; of these a busy page may have been handed fewer, and it goes on behind what it has.
    const [whole, rest, ...more] = hub.asked(/^\/model\.safetensors/).map(({ range }) => range);
    expect([whole, more]).toEqual([undefined, []]);
    const [, from] = /^bytes=(\d+)-$/.exec(rest ?? '') ?? [];
    expect(Number(from)).toBeGreaterThan(0);
    expect(Number(from)).toBeLessThanOrEqual(600_000);
    // A reload finds it in the storage.
    expect(await open()).toEqual(expected);
    expect(hub.asked(/^\/model\.safetensors/).length).toBe(2);
  } finally {
    await browser.close();
    await hub.stop();
  }
});
