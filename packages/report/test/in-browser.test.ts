// The page in Chromium: nothing hostile runs, nothing is fetched, and the controls work with keys and pointer.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findChromium } from '@limn/tooling/chromium';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderComparison, renderReport } from '../src/index.js';
import { comparisonSample } from './comparison-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { sample } from './sample.js';

const executablePath = findChromium();
const reason = 'no Chromium found; set CHROME_PATH to one';
const folder = mkdtempSync(join(tmpdir(), 'limn-report-'));
let browser: Browser | undefined;

beforeAll(async () => {
  if (!executablePath) return;
  const { chromium } = await import('playwright');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(html: string, width = 1280): Promise<{ page: Page; troubles: string[] }> {
  const file = join(folder, 'page.html');
  writeFileSync(file, html);
  if (!browser) throw new Error(reason);
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const troubles: string[] = [];
  page.on('console', (message) => troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('dialog', (dialog) => troubles.push(dialog.message()));
  page.on('request', (request) => request.url().startsWith('file:') || troubles.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  return { page, troubles };
}

test('hostile text runs nothing and is shown as text', async (context) => {
  if (!executablePath) return context.skip(reason);
  const { page, troubles } = await open(
    renderReport([sample({ text: (_, i) => hostileTexts[i % hostileTexts.length] ?? '' })]),
  );
  await page.waitForTimeout(100);
  // Every text that the script writes: a node, an edge, another size, and an address with markup in it.
  await page.locator('[data-reading] li button').first().click();
  await page.locator('[data-node].on').first().press('Enter');
  await page.locator('[data-step="-1"]').click();
  await page.evaluate(`location.hash = '#r1/absolute/64/<img src=x onerror="globalThis.broken=1">'`);
  await page.evaluate(`location.hash = '#r1/absolute/64/%E0%A4%A'`);
  expect(troubles).toEqual([]);
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await page.locator('.aligned img, .aligned svg, .aligned script, header img').count()).toBe(0);
  expect(await page.locator('html.live').count()).toBe(1);
  await page.close();

  const compared = await open(
    renderComparison(comparisonSample({ text: (_, i) => hostileTexts[i % hostileTexts.length] ?? '' })),
    390,
  );
  expect(compared.troubles).toEqual([]);
  expect(await compared.page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await compared.page.locator('main img, main script, h1 *').count()).toBe(0);
  expect(await compared.page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await compared.page.close();
});

test('nothing is wider than a wide or a narrow window', async (context) => {
  if (!executablePath) return context.skip(reason);
  const { page } = await open(renderReport([sample()]));
  for (const width of [1280, 420, 360]) {
    await page.setViewportSize({ width, height: 900 });
    const drawing = page.locator('.drawing .scroll');
    expect(await drawing.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0);
    // A letter that names a head is at least 8 px high.
    const name = await page.locator('.node.on .name').first().boundingBox();
    expect(name?.height).toBeGreaterThanOrEqual(8);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  }
  await page.close();
});

test('everything follows the size: drawing, figures, plot, tables and address', async (context) => {
  if (!executablePath) return context.skip(reason);
  const { page, troubles } = await open(renderReport([sample()]));
  const shown = () => page.locator('[data-edge]:not(.off)').count();
  const figure = (name: string) => page.locator('[data-figures] div', { hasText: name }).locator('dd').textContent();
  const at64 = await figure('faithfulness');
  await page.locator('[data-size]').focus();
  await page.keyboard.press('Home');
  expect(await shown()).toBe(1);
  await page.keyboard.press('ArrowRight');
  expect(await page.locator('[data-says]').textContent()).toMatch(/^top 2 of 479 edges/);
  expect(await figure('faithfulness')).not.toBe(at64);
  // The wide plot, the narrow one, and the row of the table.
  expect(await page.locator('.plot .now, tr.now').count()).toBe(3);
  expect(await page.locator('tr.now td').nth(1).textContent()).toBe('2');
  expect(await page.evaluate('location.hash')).toBe('#r1/absolute/2');
  await page.keyboard.press('End');
  expect(await shown()).toBe(128);
  await page.locator('[data-only]').check();
  expect(await page.locator('[data-count]').textContent()).toMatch(/^25 of 128 edges that fit/);
  await page.locator('[data-only]').uncheck();

  await page.locator('[data-find]').fill('logits mlp');
  expect(await page.locator('[data-rows] tr').count()).toBe(4);
  await page.locator('[data-find]').fill('');
  await page.locator('[data-only]').check();
  await page.evaluate(`location.hash = '#r1/absolute/64/m3'`);
  await page.waitForFunction(`document.querySelector('[data-node="m3"]').getAttribute('aria-pressed') === 'true'`);
  expect(await shown()).toBe(64);
  expect(await figure('faithfulness')).toBe(at64);
  expect(await page.locator('[data-count]').textContent()).toMatch(/^25 of 64 edges that fit/);
  await page.locator('[data-sort="from"]').press('Enter');
  expect(await page.locator('th[data-key="from"]').getAttribute('aria-sort')).toBe('ascending');
  expect(await page.locator('[data-rows] tr:first-child td:nth-child(2)').textContent()).toBe('input');
  await page.locator('[data-more]').click();
  expect(await page.locator('[data-rows] tr').count()).toBe(64);
  expect(troubles).toEqual([]);
  await page.close();
});

test('arrow keys walk along edges, and a part that is kept is knocked out', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = sample();
  const { page, troubles } = await open(renderReport([record]));
  const focused = () => page.evaluate(`document.activeElement.getAttribute('data-node')`);
  const heading = () => page.locator('[data-reading] h4').textContent();
  const marked = new Set(record.edges.flatMap(([name, , inside]) => (inside ? [name.replace(/<.>$/, '')] : [])));
  await page.locator('[data-node][tabindex="0"]').focus();
  const path = [await focused()];
  for (const key of ['ArrowUp', 'ArrowUp', 'ArrowDown', 'ArrowUp']) {
    await page.keyboard.press(key);
    path.push(await focused());
  }
  const [start, one, two, back, again] = path;
  expect(start).toBe('input');
  expect([...marked]).toEqual(expect.arrayContaining([`${start}->${one}`, `${one}->${two}`]));
  expect([back, again]).toEqual([one, two]);
  expect(await page.locator('[data-reading] .note').first().textContent()).toMatch(/^Along .* 1 of \d+\.$/);
  await page.keyboard.press('ArrowRight');
  expect([...marked]).toContain(`${one}->${await focused()}`);

  const node = await page.evaluate(`document.activeElement.getAttribute('data-node')`);
  const drop = record.knockOut?.nodes.find(({ name }) => name === node);
  await page.keyboard.press('Enter');
  expect(await page.locator('[data-node][aria-pressed="true"]').count()).toBe(1);
  expect(await page.locator('.without').textContent()).toContain(`→ ${drop?.kept ?? 'a node that was tried'}`);
  const touching = [...marked].filter((edge) => edge.split('->').includes(String(node)));
  expect(await page.locator('.edge.gone').count()).toBeGreaterThanOrEqual(touching.length);
  await page.keyboard.press('Escape');
  expect(await page.locator('[data-node][aria-pressed="true"], .edge.gone').count()).toBe(0);
  expect(await focused()).toBeNull();

  // An edge, from the list beside the drawing.
  await page.locator('[data-reading] li button').first().press('Enter');
  expect(await heading()).toBe('MLP 3 → logits');
  const [worth] = record.knockOut?.edges ?? [];
  expect(worth?.name).toBe('m3->logits');
  expect(await page.locator('.without dd').first().textContent()).toBe('0.864 → 0.287 (−0.577)');
  // Where it was not measured, the page says where it was, and leads there.
  await page.locator('[data-step="1"]').click();
  expect(await page.locator('.without').count()).toBe(0);
  await page.locator('[data-reading] .note button').click();
  expect(await page.locator('.without').count()).toBe(1);
  expect(await page.evaluate('location.hash')).toBe('#r1/absolute/64/m3-%3Elogits');
  expect(troubles).toEqual([]);
  await page.close();
});

test('32,491 edges sort and filter without a noticeable wait', async (context) => {
  if (!executablePath) return context.skip(reason);
  if (process.env['LIMN_LONG'] !== '1') return context.skip('a page of 32,491 edges in Chromium runs in test:long');
  const { page } = await open(renderReport([sample({ layers: 12, heads: 12 })]));
  const wait = await page.evaluate(
    `(() => { const from = performance.now(); document.querySelector('[data-sort=to]').click(); return performance.now() - from; })()`,
  );
  // 200 ms is the longest wait that still feels direct; a busy machine with two cores needs room.
  expect(wait).toBeLessThan(1000);
  await page.close();
});
