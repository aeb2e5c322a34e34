// Pages of DIT in Chromium: nothing hostile runs, nothing is fetched, and the table of an audit sorts, filters and goes on.
import type { Page } from 'playwright';
import { expect, test } from 'vitest';
import { ditAuditPage, ditReadingPage } from '../src/index.js';
import { browserPages, executablePath, reason } from './browser-pages.js';
import { ditAuditSample, ditReadingSample, ditWatchSample } from './dit-sample.js';
import { hostileTexts } from './hostile-texts.js';

const open = browserPages(['file:']);
const hostile = (_: string, i: number): string => [...hostileTexts, '__proto__'][i % (hostileTexts.length + 1)] ?? '';

test.skipIf(!executablePath).each([
  ['a reading', () => ditReadingPage(ditReadingSample({ text: hostile })), () => Promise.resolve()],
  [
    'an audit',
    () => ditAuditPage(ditAuditSample({ text: hostile, count: 30 })),
    async (page: Page) => {
      // Rows that the script makes itself.
      await page.locator('[data-sort="answer"]').click();
      await page.locator('[data-find]').fill('<img');
    },
  ],
  [
    'a watch',
    () => ditAuditPage(ditWatchSample({ text: hostile })),
    (page: Page) => page.locator('[data-sort="update"]').click(),
  ],
] as const)('hostile text runs nothing in %s, which fits a narrow window', async (_, made, use) => {
  const { page, troubles } = await open(made(), 390);
  await use(page);
  expect(troubles).toEqual([]);
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await page.locator('main img, main script:not([type]), h1 *').count()).toBe(0);
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await page.close();
});

test('500 rows are sorted, filtered and followed with the keys', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = ditAuditSample({ count: 500 });
  const { page, troubles } = await open(ditAuditPage(record));
  const rows = page.locator('[data-rows] tr');
  const says = () => page.locator('[data-count]').textContent();
  const column = (n: number) => page.locator(`[data-rows] td:nth-child(${n})`).allTextContents();
  const head = (key: string) => page.locator(`th[data-key="${key}"]`);
  expect(await rows.count()).toBe(200);
  // What the script makes is what the page had.
  const before = await page.locator('[data-rows]').innerHTML();
  await page.locator('[data-decision]').dispatchEvent('input');
  expect((await page.locator('[data-rows]').innerHTML()).replace(/\s+/g, ' ').trim()).toBe(
    before.replace(/\s+/g, ' ').trim(),
  );

  // Tab reaches the heads, Enter sorts, again turns round.
  await page.locator('[data-sort="confidence"]').focus();
  await page.keyboard.press('Enter');
  expect(await head('confidence').getAttribute('aria-sort')).toBe('descending');
  expect(await page.locator('th[aria-sort]').count()).toBe(1);
  const sorted = [...record.rows].sort((a, b) => b.confidence - a.confidence);
  expect((await column(2)).slice(0, 5)).toEqual(sorted.slice(0, 5).map(({ name }) => name));
  await page.keyboard.press('Enter');
  expect(await head('confidence').getAttribute('aria-sort')).toBe('ascending');
  expect((await column(2))[0]).toBe(sorted.at(-1)?.name);
  // Ranks stay those of the record.
  expect((await column(1))[0]).toBe(String(record.rows.indexOf(sorted.at(-1)!) + 1));

  await page.locator('[data-decision]').selectOption('changed');
  const changed = record.rows.filter(({ decision }) => decision === 'changed');
  expect(await says()).toBe(`${Math.min(200, changed.length)} of ${changed.length} rows that fit, out of 500.`);
  expect(new Set(await column(3))).toEqual(new Set(['● changed']));
  await page.locator('[data-more]').click();
  expect(await rows.count()).toBe(Math.min(400, changed.length));
  expect(await page.locator('[data-more]').isVisible()).toBe(changed.length > 400);

  await page.locator('[data-wrong]').check();
  await page.locator('[data-find]').fill('Opera');
  const wrong = changed.filter(
    ({ correct, answer, label }) => correct === false && `${answer} ${label}`.includes('opera'),
  );
  expect(wrong.length).toBeGreaterThan(0);
  expect(await rows.count()).toBe(wrong.length);
  expect(await says()).toBe(`${wrong.length} of ${wrong.length} rows that fit, out of 500.`);
  await page.locator('[data-find]').fill('no such thing');
  expect(await rows.count()).toBe(0);
  expect(troubles).toEqual([]);
  await page.close();
});

test.skipIf(!executablePath).each([390, 1280])(
  'a watch shows one of its plots at a width of %i, and its table by the keys',
  async (width) => {
    const { page, troubles } = await open(ditAuditPage(ditWatchSample()), width);
    expect(await page.locator('svg.watch').count()).toBe(2);
    expect(await page.locator('svg.watch:visible').count()).toBe(1);
    await page.locator('.watched summary').press('Enter');
    expect(await page.locator('.watched table').isVisible()).toBe(true);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    expect(troubles).toEqual([]);
    await page.close();
  },
);
