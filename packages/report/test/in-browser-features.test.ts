// Pages of features, graphs and dictionaries in Chromium: nothing hostile runs, nothing is fetched, and everything answers to pointer and keys.
import { readFileSync } from 'node:fs';
import type { Download, Page } from 'playwright';
import { expect, test } from 'vitest';
import { dictionariesPage, featureGraphPage, featuresPage, type FeatureGraphRecord } from '../src/index.js';
import { browserPages, executablePath, reason } from './browser-pages.js';
import { dictionariesSample } from './dictionaries-sample.js';
import { featuresSample } from './features-sample.js';
import { graphSample } from './graph-sample.js';
import { hostileTexts } from './hostile-texts.js';

const open = browserPages(['file:', 'blob:']);

/** What a button gives to be saved. */
async function saved(page: Page, button: string): Promise<unknown> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator(button).click()]);
  return JSON.parse(readFileSync(await download.path(), 'utf8'));
}

const hostile = (_: string, i: number): string => [...hostileTexts, '__proto__'][i % (hostileTexts.length + 1)] ?? '';
const unbroken = async (page: Page, troubles: readonly string[]): Promise<void> => {
  expect(troubles).toEqual([]);
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await page.locator('main img, main script:not([type]), h1 *').count()).toBe(0);
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
};

test('hostile text runs nothing in a graph, in dashboards and in frontiers, and fits a narrow window', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = graphSample({ text: hostile, tokens: 8, features: 30, edges: 200 });
  const graph = await open(featureGraphPage(record), 390);
  await graph.page.locator('[data-gnode].feature').first().dispatchEvent('click');
  await graph.page.locator('[data-pin]').first().click();
  await graph.page.locator('[data-group-name]').fill('</script><img src=x onerror="globalThis.broken=1">');
  await graph.page.locator('[data-group]').click();
  await graph.page.locator('[data-node-label]').fill('"><svg onload="globalThis.broken = 1">');
  await graph.page.locator('[data-node-label]').press('Enter');
  await graph.page.locator('[data-propose]').click();
  await graph.page.locator('[data-gnode][tabindex="0"]').focus();
  await graph.page.keyboard.press('ArrowUp');
  await graph.page.evaluate(`location.hash = '#graph/0.5/1/<img src=x onerror="globalThis.broken=1">/7'`);
  await unbroken(graph.page, graph.troubles);
  // What is saved is what was given, letter by letter.
  const file = (await saved(graph.page, '[data-save-graph]')) as {
    metadata: { prompt_tokens: string[] };
    qParams: { supernodes: string[][] };
  };
  expect(file.metadata.prompt_tokens).toEqual(record.prompt);
  expect(file.qParams.supernodes.at(-1)?.[0]).toBe('</script><img src=x onerror="globalThis.broken=1">');
  await graph.page.close();

  const features = await open(featuresPage(featuresSample({ text: hostile, count: 16 })), 390);
  await features.page.locator('[data-more-cards]').click();
  await features.page.locator('[data-name]').first().fill('"><svg onload="globalThis.broken = 1">');
  await features.page.locator('[data-find="logit"]').fill('</script>');
  await unbroken(features.page, features.troubles);
  await features.page.close();

  const frontiers = await open(dictionariesPage(dictionariesSample({ text: hostile, layers: 1 })), 390);
  await unbroken(frontiers.page, frontiers.troubles);
  await frontiers.page.close();
});

test('a graph is followed edge by edge, pruned, pinned, grouped and saved', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = graphSample();
  const { page, troubles } = await open(featureGraphPage(record));
  const says = () => page.locator('[data-shown-says]').textContent();
  const nodes = () => page.locator('[data-gnode]').count();
  const picked = () => page.locator('[data-gnode].now').getAttribute('data-gnode');
  const shown = Number(/^\d+/.exec((await says()) ?? '')?.[0]);
  expect(await nodes()).toBe(shown);

  // The slider: everything at 1, and the sentence counts what is drawn.
  await page.locator('[data-threshold="nodes"]').focus();
  await page.keyboard.press('End');
  expect(await page.locator('[data-threshold-says="nodes"]').textContent()).toBe('100 % of the influence');
  expect(await says()).toMatch(/^218 of 224 nodes, .*hidden: 6 biases; /);
  expect(await nodes()).toBe(218);
  await page.locator('[data-constants]').check();
  expect(await says()).toMatch(/^224 of 224 nodes/);
  expect(await page.locator('[data-gnode].bias').count()).toBe(6);
  await page.locator('[data-constants]').uncheck();

  // A click picks; the list leads along an edge to another node, and back.
  const index = record.nodes.findIndex(({ kind, layer }) => kind === 'feature' && layer === 2);
  await page.locator(`[data-gnode="${index}"]`).dispatchEvent('click');
  expect(await picked()).toBe(String(index));
  const into = record.edges.filter(([, target]) => target === index);
  const [strongest] = [...into].sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
  expect(await page.locator('[data-panel] h5').first().textContent()).toContain(`In: ${into.length} edges`);
  await page.locator('[data-panel] .edges button').first().click();
  expect(await picked()).toBe(String(strongest?.[0]));
  expect(await page.evaluate(`document.activeElement.getAttribute('data-gnode')`)).toBe(String(strongest?.[0]));
  expect(await page.evaluate('location.hash')).toBe(`#graph/1/0.98/${strongest?.[0]}/0.1.2.3`);

  // Keys: arrows move the focus, Enter picks, P pins, Escape lets go.
  await page.keyboard.press('ArrowUp');
  const focused = Number(await page.evaluate(`document.activeElement.getAttribute('data-gnode')`));
  expect(focused).not.toBe(strongest?.[0]);
  expect(await page.locator('[data-hover]').isVisible()).toBe(true);
  await page.keyboard.press('Enter');
  expect(await picked()).toBe(String(focused));
  const isPinned = record.qParams?.pinnedIds.includes(record.nodes[focused]?.id ?? '') === true;
  await page.keyboard.press('p');
  expect(await page.locator(`[data-gnode="${focused}"].pinned`).count()).toBe(isPinned ? 0 : 1);
  await page.keyboard.press('Escape');
  expect(await page.locator('[data-gnode].now').count()).toBe(0);
  expect(await page.evaluate(`document.activeElement.getAttribute('data-gnode')`)).toBe(String(focused));

  // What is ticked becomes a group, in the page and in the file; what is pinned stays when pruned.
  await page.locator('[data-group-name]').fill('two digits');
  await page.locator('[data-group-name]').press('Enter');
  expect(await page.locator('[data-supernode] h4 bdi').allTextContents()).toEqual(['years', 'two digits']);
  await page.locator('[data-threshold="nodes"]').press('Home');
  const pinned = await page.locator('[data-gnode].pinned').count();
  expect(pinned).toBeGreaterThanOrEqual(3);
  const file = (await saved(page, '[data-save-graph]')) as {
    nodes: { node_id: string }[];
    qParams: { pinnedIds: string[]; supernodes: string[][] };
  };
  expect(file.nodes).toHaveLength(record.nodes.length);
  expect(file.qParams.pinnedIds).toHaveLength(pinned);
  expect(file.qParams.supernodes.map(([name]) => name)).toEqual(['years', 'two digits']);
  await page.locator('[data-ungroup="0"]').click();
  expect(await page.locator('[data-supernode]').count()).toBe(1);

  // The address leads back, and one that is no state changes nothing.
  await page.evaluate(`location.hash = '#graph/0.8/0.98/${index}/'`);
  await page.waitForFunction(`document.querySelector('[data-threshold="nodes"]').value === '0.8'`);
  expect(await picked()).toBe(String(index));
  await page.evaluate(`location.hash = '#graph/7/x/-1'`);
  expect(await picked()).toBe(String(index));
  expect(troubles).toEqual([]);
  await page.close();
});

/** With a second feature at the place of one, with the same edges. */
function withTwin(record: FeatureGraphRecord): FeatureGraphRecord {
  const { nodes, edges } = record;
  const grouped = new Set(record.qParams?.supernodes.flat());
  const layered = nodes.findIndex(
    ({ kind, layer, id }, i) =>
      kind === 'feature' &&
      layer === 1 &&
      !grouped.has(id) &&
      [0, 1].every((end) => edges.some((edge) => edge[end] === i && nodes[edge[0]]?.kind !== 'bias')),
  );
  const node = nodes[layered];
  if (!node) throw new Error('the sample has no such feature in layer 1');
  const twin = nodes.length;
  const copied = edges.flatMap(([source, target, ...rest]) =>
    source === layered
      ? [[twin, target, ...rest] as const]
      : target === layered
        ? [[source, twin, ...rest] as const]
        : [],
  );
  return {
    ...record,
    nodes: [...nodes, { ...node, id: `1_1533_${node.position}`, feature: 1533 }],
    edges: [...edges, ...copied],
  };
}

test('a graph’s nodes are labelled, groups proposed and taken, and a score’s sources lead to their nodes', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = withTwin(graphSample({ features: 60, edges: 900 }));
  const { page, troubles } = await open(featureGraphPage(record));
  // A label is the reader's own: it is on the node, in lists and in the file.
  await page.locator('[data-gnode="3"]').dispatchEvent('click');
  await page.locator('[data-node-label]').fill('kings and queens');
  await page.locator('[data-node-label]').press('Enter');
  expect(await page.locator('.panel-head h4').textContent()).toBe('kings and queens');
  expect(await page.locator('[data-gnode="3"]').getAttribute('aria-label')).toContain('kings and queens');

  // Two features of one place that read and bring the same are proposed as one group.
  await page.locator('[data-threshold="nodes"]').focus();
  await page.keyboard.press('End');
  await page.locator('[data-propose]').press('Enter');
  expect(await page.locator('[data-propose]').getAttribute('aria-expanded')).toBe('true');
  const proposed = await page.locator('[data-proposal]').count();
  expect(proposed).toBeGreaterThan(0);
  const name = await page.locator('[data-proposal="0"] h4 bdi').textContent();
  const members = await page.locator('[data-proposal="0"] li').count();
  const before = await page.locator('[data-supernode]').count();
  await page.locator('[data-take="0"]').click();
  expect(await page.locator('[data-supernode] h4 bdi').last().textContent()).toBe(name);
  expect(await page.locator('[data-proposal]').count()).toBe(proposed - 1);
  const file = (await saved(page, '[data-save-graph]')) as {
    nodes: { node_id: string; clerp: string }[];
    qParams: { supernodes: string[][]; pinnedIds: string[]; clerps: string[][] };
  };
  const [taken] = file.qParams.supernodes.slice(before);
  expect(taken).toHaveLength(members + 1);
  expect(file.qParams.pinnedIds).toEqual(expect.arrayContaining((taken ?? []).slice(1)));
  expect(file.nodes[3]?.clerp).toBe('kings and queens');
  expect(file.qParams.clerps.map(([, label]) => label)).toContain('kings and queens');
  await page.locator('[data-no-proposals], [data-propose]').first().click();

  // From the table of a head's score to the node, and what it brings there.
  const [source] = record.headScores?.[0]?.queries ?? [];
  await page.locator('.terms thead [data-go]').first().press('Enter');
  expect(await page.locator('[data-gnode].now').getAttribute('data-gnode')).toBe(
    String(record.nodes.findIndex(({ id }) => id === source?.id)),
  );
  expect(await page.locator('.score-parts').textContent()).toContain('as part of the query');
  expect(troubles).toEqual([]);
  await page.close();
});

test('features are found, ordered, labelled, and their labels saved', async (context) => {
  if (!executablePath) return context.skip(reason);
  const record = featuresSample();
  const { page, troubles } = await open(featuresPage(record));
  const cards = () => page.locator('[data-feature]').count();
  const count = () => page.locator('[data-count]').textContent();
  expect(await count()).toBe('12 of 40 features.');
  await page.locator('[data-more-cards]').click();
  expect(await cards()).toBe(24);
  await page.locator('[data-find="layer"]').selectOption('1');
  expect(await count()).toBe('12 of 13 features that fit, out of 40.');
  await page.locator('[data-order]').selectOption('most');
  const strongest = record.features.filter(({ origin }) => origin.layer === 1).sort((a, b) => b.max - a.max)[0];
  expect(await page.locator('[data-feature]').first().getAttribute('data-feature')).toBe(`tc1[${strongest?.feature}]`);
  await page.locator('[data-author]').fill(' anna b ');
  await page.locator('[data-name]').first().fill('mine');
  expect(await page.locator('[data-label]').first().textContent()).toBe('mine');
  await page.locator('[data-find="label"]').fill('MINE');
  expect(await cards()).toBe(1);
  await page.locator('[data-find="label"]').fill('');
  await page.locator('[data-find="layer"]').selectOption('');
  await page.locator('[data-find="fires"]').fill('paris');
  expect(await count()).toMatch(/that fit, out of 40\.$/);
  await page.locator('[data-find="fires"]').fill('no such token');
  expect(await cards()).toBe(0);
  // One file for each dictionary; of what was written here the author and the time are new.
  const downloads: Download[] = [];
  page.on('download', (download) => downloads.push(download));
  await page.locator('[data-save]').click();
  await expect.poll(() => downloads.length).toBe(3);
  const files = await Promise.all(downloads.map(async (each) => readFileSync(await each.path(), 'utf8')));
  const labels = files.flatMap(
    (text) => (JSON.parse(text) as { labels: { feature: number; text: string; author: string }[] }).labels,
  );
  expect(labels.find(({ feature }) => feature === strongest?.feature)).toMatchObject({
    text: 'mine',
    author: 'anna b',
  });
  expect(labels).toHaveLength(record.features.filter(({ label }) => label).length + (strongest?.label ? 0 : 1));
  expect(troubles).toEqual([]);
  await page.close();
});
