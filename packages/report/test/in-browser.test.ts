// The page in Chromium: nothing hostile runs, nothing is fetched, and the controls work with keys and pointer.
import { expect, test } from 'vitest';
import { renderComparison, renderReport, steeringPage } from '../src/index.js';
import { browserPages, executablePath, reason } from './browser-pages.js';
import { comparisonSample } from './comparison-sample.js';
import { hostileTexts } from './hostile-texts.js';
import { sample } from './sample.js';
import { steeringSample } from './steering-sample.js';

const open = browserPages(['file:']);

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

  const steered = await open(
    steeringPage(steeringSample({ text: (_, i) => hostileTexts[i % hostileTexts.length] ?? '', layers: 3 })),
    390,
  );
  // Everything that its script writes: a strength, another prompt with its tokens and drawings, a cell, a penalty.
  await steered.page.locator('[data-rest="-1"]').click();
  await steered.page.locator('[data-prompt]').selectOption('1');
  await steered.page.locator('[data-cell][tabindex="0"]').press('ArrowLeft');
  await steered.page.locator('[data-penalty]').press('Home');
  await steered.page.waitForTimeout(100);
  expect(steered.troubles).toEqual([]);
  expect(await steered.page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await steered.page.locator('main img, main script:not([type]), h1 *').count()).toBe(0);
  expect(await steered.page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await steered.page.close();
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

test('everything follows the strength: cells, figures, gauges, tokens and plots; it stops where something was measured', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = steeringSample();
  const { page, troubles } = await open(steeringPage(record));
  const says = () => page.locator('[data-strength-says]').textContent();
  const figure = (name: string) =>
    page.locator('[data-strength-figures] div', { hasText: name }).locator('dd').textContent();
  const kinds = (name: string) => page.locator(`[data-cell].${name}`).count();
  const gauge = () => page.locator('.gauges').getAttribute('aria-label');
  expect([await kinds('up'), await kinds('down'), await kinds('reversed'), await kinds('ablated')]).toEqual([
    6, 5, 1, 1,
  ]);
  const slider = page.locator('[data-strength]');
  await slider.focus();
  await page.keyboard.press('PageDown');
  expect(await says()).toBe('0, untouched');
  expect(await kinds('zero')).toBe(182);
  expect(await page.locator('.go').count()).toBe(0);
  await page.keyboard.press('PageDown');
  expect(await says()).toBe('−1, towards ■ Paris');
  expect([await kinds('up'), await kinds('down'), await kinds('reversed')]).toEqual([5, 6, 1]);
  expect(await figure('prefer ■')).toBe('98 %');
  expect(await gauge()).toContain('steered; together');
  const before = await gauge();
  await page.keyboard.press('ArrowRight');
  expect(await says()).toBe('−0.75, towards ■ Paris');
  expect(await gauge()).not.toBe(before);
  expect(await page.locator('.now[data-at="b -0.75"]').count()).toBe(5);
  await page.keyboard.press('End');
  expect(await slider.getAttribute('aria-valuetext')).toBe('+2, towards ● Berlin');
  // The pointer is drawn to −1, 0 and 1, and else to what was measured.
  const pull = (value: number) =>
    slider.evaluate((input, to) => {
      (input as HTMLInputElement).value = String(to);
      input.dispatchEvent(new Event('input'));
      return (input as HTMLInputElement).value;
    }, value);
  expect([await pull(0.91), await pull(-0.1), await pull(0.8), await pull(1.62)]).toEqual(['1', '0', '0.75', '1.5']);

  // Another prompt: its words, answers and drawings, at the strength that is shown.
  await page.locator('[data-rest="1"]').click();
  await page.locator('[data-prompt]').selectOption('1');
  expect(await page.locator('[data-token="5"]').allTextContents()).toEqual(['Madrid', 'Madrid']);
  expect(await page.locator('[data-answer]').allTextContents()).toEqual(['Rome', 'Madrid']);
  expect(await says()).toBe('+1, towards ● Rome');
  expect(await gauge()).toMatch(/^Rome against Madrid/);

  // A smaller penalty: more cells, the figures of that point, and no drawings of prompts that were run with others.
  await page.locator('[data-penalty]').press('Home');
  expect(await kinds('zero')).toBe(0);
  expect(await figure('cells that are not 0')).toBe('182 of 182 (100 %)');
  expect(await figure('success both ways')).toBe('92 %');
  expect(await page.locator('[data-outcome] svg').count()).toBe(0);
  expect(await page.locator('.now[data-at="l 0"]').count()).toBe(5);
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
  expect(await page.locator('[data-outcome] svg').count()).toBe(2);
  // The address keeps what is shown, and leads back to it; one that is no state of the page changes nothing.
  expect(await page.evaluate('location.hash')).toBe('#cells/1/3/1/89');
  await page.evaluate(`location.hash = '#cells/-0.5/0/2/5'`);
  await page.waitForFunction(`document.querySelector('[data-strength]').value === '-0.5'`);
  expect(await page.locator('[data-cell-name]').textContent()).toBe('attention out, layer 0, position 5 “Cairo”');
  expect(await page.locator('[data-penalty-says]').textContent()).toBe('λ = 0');
  await page.evaluate(`location.hash = '#cells/7/<b>/x/-1'`);
  expect(await says()).toBe('−0.5, towards ■ Cairo');
  expect(troubles).toEqual([]);
  await page.close();
});

test('cells are walked with arrow keys, across both maps, and read with every measure', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = steeringSample();
  const { page, troubles } = await open(steeringPage(record));
  const name = () => page.locator('[data-cell-name]').textContent();
  const figures = () => page.locator('[data-cell-figures] dd').allTextContents();
  await page.locator('[data-cell][tabindex="0"]').focus();
  expect(await name()).toBe('attention out, layer 4, position 17 “:”');
  expect((await figures()).slice(0, 2)).toEqual(['1.62', '× 2.62']);
  expect(await figures()).toHaveLength(2 + record.comparisons!.length);
  await page.keyboard.press('ArrowUp');
  expect(await name()).toContain('attention out, layer 5,');
  await page.keyboard.press('ArrowUp');
  expect(await name()).toContain('layer 5,');
  await page.keyboard.press('ArrowRight');
  expect(await name()).toBe('MLP out, layer 5, position 0 “The”');
  expect((await figures())[0]).toBe('×');
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowDown');
  expect(await name()).toBe('MLP out, layer 0, position 5 “Paris”');
  expect((await figures())[1]).toBe('× −0.31, reversed');
  // The same cell in every small map, and one stop for Tab.
  expect(await page.locator('[data-same].here').count()).toBe(1 + record.comparisons!.length + 2);
  expect(await page.locator('[data-cell][tabindex="0"]').count()).toBe(1);
  await page.keyboard.press('End');
  expect(await name()).toContain('MLP out, layer 0, position 17');
  await page.locator('[data-cell="3"]').hover();
  expect(await name()).toBe('attention out, layer 0, position 3 “Germany”');
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
