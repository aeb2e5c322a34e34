// Dashboards equal a search through every token, whatever the batches; weights' scores equal sums in float64.
import { blockHook, tokenBatch, type HookedModel } from '@limn/hooks';
import { readFloats, reshape } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { beforeAll, expect, test } from 'vitest';
import {
  checkFeatureJson,
  dashboardBytes,
  featureDashboards,
  featureLogits,
  featurePage,
  readDashboards,
  withoutText,
  writeDashboards,
  type DashboardExample,
  type Dictionary,
  type FeatureDashboard,
  type FeatureOwner,
} from '../src/index.js';
import type { FeatureEncoder } from '../src/encoder.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';
import { FiringPasses, type FiringBlock } from '../src/reading/firing-blocks.js';
import { TokenPlaces } from '../src/reading/token-places.js';
import { uniform } from './uniform.js';

const WINDOW = 2;
const TOP = 6;

/** Some texts of several lengths, two of them the same, one within the positions that are left out. */
function texts(vocabulary: number): number[][] {
  const draw = uniform(5);
  const list = [7, 5, 8, 1, 8, 6].map((length) =>
    Array.from(draw(length), (value) => Math.floor(((value + 1) / 2) * Math.min(vocabulary, 6))),
  );
  return [...list, [...(list[0] as number[])], ...list.slice(2, 4)];
}

/** One token: its activations are looked up, not streamed. */
interface Scored {
  readonly sequence: number;
  readonly position: number;
  readonly a: readonly number[];
}

/** Activations of every scored token, one text at a time. */
async function scoredTokens(
  model: HookedModel,
  dictionary: Dictionary,
  sequences: readonly number[][],
  skip: number,
): Promise<Scored[]> {
  const scored: Scored[] = [];
  for (const [sequence, tokens] of sequences.entries()) {
    if (tokens.length <= skip) continue;
    using step = model.gpu.step();
    const run = model.run(
      step,
      { tokens: tokenBatch([tokens], model.info) },
      { capture: [dictionary.reads], logits: 'none' },
    );
    const { inputWidth: I, features: F } = dictionary.config;
    const x = run.at(dictionary.reads);
    const a = await readFloats(step, dictionary.encode(step, reshape(x, [tokens.length, I])));
    for (let position = skip; position < tokens.length; position++)
      scored.push({ sequence, position, a: [...a.subarray(position * F, (position + 1) * F)] });
  }
  return scored;
}

/** §3.7 as it is written, over all tokens at once. */
function expected(scored: readonly Scored[], sequences: readonly number[][], feature: number, skip: number) {
  const value = (each: Scored): number => each.a[feature] as number;
  const context = ({ sequence, position }: Scored): string => {
    const tokens = sequences[sequence] as number[];
    return Array.from({ length: 2 * WINDOW + 1 }, (_, i) => tokens[position - WINDOW + i] ?? 'none').join(' ');
  };
  const example = (each: Scored, repeated: boolean): DashboardExample => {
    const { sequence, position } = each;
    const tokens = sequences[sequence] as number[];
    const from = Math.max(0, position - WINDOW);
    const window = tokens.slice(from, position + WINDOW + 1);
    return {
      sequence,
      position,
      value: value(each),
      tokens: window,
      activations: window.map((_, i) => {
        const at = scored.find((other) => other.sequence === sequence && other.position === from + i);
        return from + i < skip ? 0 : (at?.a[feature] as number);
      }),
      at: position - from,
      repeated,
    };
  };
  const firing = scored.filter((each) => value(each) > 0);
  const shown = scored.filter(({ sequence, position }) => {
    const prefix = (s: number): string => (sequences[s] as number[]).slice(0, position + 1).join(' ');
    return !sequences.slice(0, sequence).some((other, s) => other.length > position && prefix(s) === prefix(sequence));
  });
  const ordered = shown
    .filter((each) => value(each) > 0)
    .sort((a, b) => value(b) - value(a) || scored.indexOf(a) - scored.indexOf(b));
  const top = ordered.filter((each, i) => !ordered.slice(0, i).some((other) => context(other) === context(each)));
  const [min, max] = [Math.min(...scored.map(value)), Math.max(...scored.map(value))];
  const nearest = new Map<number, { target: number; distance: number; token: Scored }>();
  for (let target = 0; target < 50 && firing.length > 0; target++) {
    const aim = min + (target * (max - min)) / 49;
    let best = shown[0] as Scored;
    for (const each of shown) if (Math.abs(value(each) - aim) < Math.abs(value(best) - aim)) best = each;
    const distance = Math.abs(value(best) - aim);
    const known = nearest.get(value(best));
    if (!known || distance < known.distance) nearest.set(value(best), { target, distance, token: best });
  }
  const chosen = [...nearest.values()].sort((a, b) => a.target - b.target);
  const flags = chosen.map(({ token }, i) =>
    chosen.slice(0, i).some((other) => context(other.token) === context(token)),
  );
  const bandOf = (v: number): number => (max > min ? Math.min(4, Math.floor((5 * (v - min)) / (max - min))) : 0);
  return {
    fired: firing.length,
    min,
    max,
    top: top.slice(0, TOP).map((each) => example(each, false)),
    bands:
      firing.length === 0
        ? []
        : [0, 1, 2, 3, 4].map((band) => ({
            share: scored.filter((each) => bandOf(value(each)) === band).length / scored.length,
            examples: chosen.flatMap(({ target, token }, i) =>
              Math.floor(target / 10) === band ? [example(token, flags[i] as boolean)] : [],
            ),
          })),
    firing: firing.map(value).sort((a, b) => a - b),
  };
}

let model: HookedModel;
beforeAll(async () => {
  model = await tinyGpt2(2);
});

test.each([
  ['relu', { activation: { kind: 'relu' } }, 0],
  ['top-k', { activation: { kind: 'top-k', k: 3 } }, 1],
  ['jump-relu', { activation: { kind: 'jump-relu', bandwidth: 0.1 } }, 1],
  ['an SAE', { activation: { kind: 'relu' }, input: 'hook_mlp_out' }, 0],
] as const)('dashboards equal a search through every token: %s', async (_, options, skip) => {
  using dictionary = randomDictionary(model, 1, options);
  const sequences = texts(model.info.vocabulary);
  const scored = await scoredTokens(model, dictionary, sequences, skip);
  const settings = { skip, top: TOP, window: WINDOW, bins: 10, weightTokens: 0 } as const;
  const found = await featureDashboards(model, dictionary, sequences, settings);
  expect(found.tokens).toBe(scored.length);
  let lists = 0;
  for (const dashboard of found) {
    const want = expected(scored, sequences, dashboard.feature, skip);
    const { fired, min, max, top, bands, histogram, quantiles } = dashboard;
    close({ fired, min, max, top }, { fired: want.fired, min: want.min, max: want.max, top: want.top });
    close(
      bands.map(({ share, examples }) => ({ share, examples })),
      want.bands,
    );
    expect(bands.every(({ examples }) => examples.length <= 10)).toBe(true);
    expect(histogram.reduce((sum, count) => sum + count, 0)).toBe(fired);
    for (const [bin, count] of histogram.entries())
      expect(want.firing.filter((v) => Math.min(9, Math.floor((10 * v) / max)) === bin).length).toBe(count);
    for (const { share, value } of quantiles) {
      if (fired === 0) continue;
      const exact = want.firing[Math.max(0, Math.ceil(share * fired - 1e-9) - 1)] as number;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(max / 80 + 1e-6);
    }
    lists += top.length;
  }
  expect(lists).toBeGreaterThan(20);
});

test('neither batches nor what is kept nor which features are asked for changes anything', async () => {
  using dictionary = randomDictionary(model, 1);
  const sequences = texts(model.info.vocabulary);
  const settings = { skip: 1, top: TOP, window: WINDOW, weightTokens: 0 } as const;
  const found = await featureDashboards(model, dictionary, sequences, settings);
  // Batches of another size, nothing kept between passes, features in parts.
  const again = await featureDashboards(model, dictionary, sequences, { ...settings, batchSize: 2, keptBytes: 0 });
  close([...again], [...found]);
  expect([...(await featureDashboards(model, dictionary, sequences, settings))]).toEqual([...found]);
  const some = await featureDashboards(model, dictionary, sequences, { ...settings, features: [7, 2] });
  expect(some.features).toEqual([2, 7]);
  close([...some], [found.of(2), found.of(7)]);
  expect(some.of(3)).toBeUndefined();
});

/** Equal but for f32 round-off of kernels that differ with the batch: numbers of size 1 through two layers. */
function close(actual: unknown, wanted: unknown, path = ''): void {
  if (typeof wanted === 'number') {
    if (!(Math.abs((actual as number) - wanted) < 2e-5)) expect(actual, path).toBe(wanted);
  } else if (typeof wanted === 'object' && wanted !== null) {
    expect(Object.keys(actual as object), path).toEqual(Object.keys(wanted));
    for (const [key, value] of Object.entries(wanted))
      close((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  } else expect(actual, path).toBe(wanted);
}

test('neurons and models of other kinds have dashboards; the toy of parallel blocks too', async () => {
  const other = await toy(2);
  const sequences = texts(other.info.vocabulary);
  for (const rest of ['zero', 'mean'] as const) {
    const neurons: FeatureOwner = { layer: 1, k: 3, rest };
    const found = await featureDashboards(other, neurons, sequences, { weightTokens: 2 });
    expect(found.origin).toEqual({ kind: 'neurons', layer: 1, reads: blockHook(1, 'mlp.hook_post'), features: 9 });
    const fired = [...found].reduce((sum, each) => sum + each.fired, 0);
    expect(fired).toBe(3 * found.tokens);
  }
  using dictionary = randomDictionary(other, 1);
  const own = await featureDashboards(other, dictionary, sequences);
  expect(own.of(0)?.deEmbedding?.most.length).toBe(10);
  // An encoder that does not say what it writes.
  const { gpu, config, reads } = dictionary;
  const encoder: FeatureEncoder = {
    gpu,
    config,
    reads,
    tensor: (name) => dictionary.tensor(name),
    preActivations: (step, x) => dictionary.preActivations(step, x),
    encode: (step, x) => dictionary.encode(step, x),
    activations: (step, x) => dictionary.activations(step, x),
  };
  const across = await featureDashboards(other, encoder, sequences);
  expect(across.origin.kind).toBe('cross-layer');
  expect(across.of(4)?.top).toEqual(own.of(4)?.top);
  expect(across.of(4)).not.toHaveProperty('logits');
  expect(across.of(4)?.deEmbedding).toEqual(own.of(4)?.deEmbedding);
  expect(await refusal(featureLogits(other, encoder, [0]))).toMatchObject({ code: 'usage/feature-directions' });
});

test('activations read as lists, whole, or in part as lists are the same blocks', async () => {
  using dictionary = randomDictionary(model, 1, { activation: { kind: 'jump-relu', bandwidth: 0.1 } });
  const places = new TokenPlaces(texts(model.info.vocabulary), 1);
  const blocksOf = async (listed: number, features = Uint32Array.from({ length: 12 }, (_, f) => f)) => {
    const blocks: FiringBlock[] = [];
    const request = { owner: dictionary, features, places, keptBytes: 0, passes: 1, listed };
    await new FiringPasses(model, request, { batchSize: 1 }).pass((block) => void blocks.push(block));
    return blocks;
  };
  const whole = await blocksOf(12);
  const most = whole.map(({ rowStarts }) => Math.max(...rowStarts.map((start, n) => start - (rowStarts[n - 1] ?? 0))));
  // Lists of 3 hold some batches; those of 2 overflow in others, which are read whole.
  expect(Math.min(...most)).toBeLessThan(3);
  expect(Math.max(...most)).toBeGreaterThan(2);
  for (const listed of [3, 2]) expect(await blocksOf(listed)).toEqual(whole);
  const some = await blocksOf(3, Uint32Array.of(2, 5));
  expect(some.map(({ values }) => values.length)).toEqual(
    whole.map(({ columns }) => columns.filter((f) => f === 2 || f === 5).length),
  );
});

test('progress counts all passes, a signal stops them, memory is stated', async () => {
  using dictionary = randomDictionary(model, 0);
  const sequences = texts(model.info.vocabulary);
  const told: number[] = [];
  const onProgress = ({ done, total }: { done: number; total: number }): void => void told.push(done / total);
  await featureDashboards(model, dictionary, sequences, { onProgress, batchSize: 3, keptBytes: 0, weightTokens: 0 });
  expect(told.at(-1)).toBe(1);
  expect([...told].sort((a, b) => a - b)).toEqual(told);
  expect(told.length).toBeGreaterThan(6);
  const stopped = AbortSignal.abort();
  expect(await refusal(featureDashboards(model, dictionary, sequences, { signal: stopped }))).toMatchObject({
    code: 'aborted',
  });
  // 24,576 features of GPT-2 small.
  expect(dashboardBytes(24_576)).toBeLessThan(200e6);
  const refused = (options: object) => refusal(featureDashboards(model, dictionary, sequences, options));
  expect(await refused({ top: 0 })).toMatchObject({ code: 'usage/feature-dashboards' });
  expect(await refused({ quantiles: [2] })).toMatchObject({ code: 'usage/feature-dashboards' });
  expect(await refused({ features: [12] })).toMatchObject({ code: 'usage/features' });
  expect(await refused({ features: [1, 1] })).toMatchObject({ code: 'usage/features' });
  expect(await refused({ skip: 99 })).toMatchObject({ code: 'data/feature-sequences' });
});

test('without text nothing of it is left, and numbers stay; pages pass the check, hostile text as text', async () => {
  using dictionary = randomDictionary(model, 0);
  const hostile = (token: number): string => `</script>${token}\u202e"`;
  const found = await featureDashboards(model, dictionary, texts(model.info.vocabulary), { text: hostile });
  const dashboard = [...found].find(({ fired }) => fired > 3) as FeatureDashboard;
  expect(JSON.stringify(dashboard)).toContain('</script>');
  const bare = withoutText(dashboard);
  const numbers = ({ value, activations, at, position }: DashboardExample) => ({ value, activations, at, position });
  expect(JSON.stringify(bare)).not.toContain('script');
  expect(bare.top.map(numbers)).toEqual(dashboard.top.map(numbers));
  expect(bare.top.every(({ tokens }) => tokens.length === 0)).toBe(true);
  expect(bare).toMatchObject({ histogram: dashboard.histogram, quantiles: dashboard.quantiles, max: dashboard.max });
  // Stored and read again, with text and without.
  const stored = [...writeDashboards(found)];
  expect(stored.length).toBe(13);
  const read = async (lines: readonly string[]): Promise<FeatureDashboard[]> => {
    const list: FeatureDashboard[] = [];
    for await (const each of readDashboards(lines)) list.push(each);
    return list;
  };
  expect(await read(stored)).toEqual([...found]);
  expect(await read([...writeDashboards([bare])])).toEqual([bare]);
  const spoilt = (from: string, to: string): string[] => {
    expect(stored.join('')).toContain(from);
    return stored.map((line) => line.replace(from, to));
  };
  for (const [lines, field] of [
    [[], 'the file'],
    [stored.slice(1), 'format'],
    [[...stored, stored[3] as string], 'line 14.feature'],
    [spoilt('"fired":', '"fired":1e9,"was":'), 'line 2.fired'],
    [spoilt('"repeated":false', '"repeated":0'), '.repeated'],
    [spoilt('"tokens":[', '"tokens":[3,'), '.tokens'],
    [spoilt('"histogram":[', '"histogram":["1",'), '.histogram[0]'],
  ] as const) {
    const error = await refusal(read(lines));
    expect(error).toMatchObject({ code: 'data/dashboards' });
    expect(String(error.details?.['field'])).toContain(field);
  }
  const page = featurePage(dashboard, { transcoderId: 'pocket-0' });
  expect(checkFeatureJson(JSON.parse(JSON.stringify(page)))).toEqual(page);
  expect(page).toMatchObject({ transcoder_id: 'pocket-0', index: dashboard.feature, act_max: dashboard.max });
  const [top, strongest] = page.examples_quantiles;
  expect(top?.examples.length).toBe(dashboard.top.length);
  expect(top?.examples[0]?.tokens[dashboard.top[0]?.at ?? 0]).toContain('</script>');
  expect(strongest?.examples[0]?.tokens_acts_list).toContain(dashboard.max);
  expect(page.top_logits?.length).toBe(10);
  expect(JSON.stringify(featurePage(bare))).not.toContain('script');
  const first = featurePage(bare).examples_quantiles[0]?.examples[0];
  expect(first?.tokens.length).toBe(first?.tokens_acts_list.length);
});
