// Calls that a careless caller makes, in JavaScript or past the types: each is answered with a code and a way out, never with a TypeError.
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  directLogitAttribution,
  generate,
  generateStream,
  hookNames,
  intervene,
  runWithCache,
  runWithHooks,
  scale,
  selectSites,
  tokenBatch,
  topTokens,
} from '../src/index.js';
import { toy } from './toy.js';

const prompts = [
  [1, 4, 7, 2],
  [3, 3, 9],
];
const model = await toy();
/** A value that the types would not let through. */
const wrong = (value: unknown): never => value as never;

/** A run of the model with these options, recorded and thrown away. */
async function recorded(options: Parameters<typeof model.run>[2]): Promise<unknown> {
  const step = model.gpu.step();
  try {
    return model.run(step, { tokens: tokenBatch(prompts, model.info) }, options);
  } finally {
    step.dispose();
  }
}

describe('filters of sites', () => {
  test('thirty stars in a row, or spread over a name, cost no more than the length of the name', async () => {
    const large = { layers: 48, block: 'sequential' } as const;
    for (const glob of [`${'*'.repeat(30)}X`, `${'*_'.repeat(30)}X`, `${'*?'.repeat(30)}*X`]) {
      const error = await refusal(() => selectSites(glob, large));
      expect(error.code).toBe('hooks/unknown-site');
    }
    expect(selectSites('*'.repeat(30), large)).toEqual(hookNames(large));
  });

  test.each([
    ['hook_e*', ['hook_embed']],
    ['*_embed', ['hook_embed', 'hook_pos_embed']],
    ['hook?embed', ['hook_embed']],
    ['*1*ln?*scale', ['blocks.1.ln1.hook_scale', 'blocks.1.ln2.hook_scale']],
    ['b*0*mlp*o*t', ['blocks.0.mlp.hook_post', 'blocks.0.hook_mlp_out']],
    ['blocks.0.attn.hook_z*', ['blocks.0.attn.hook_z']],
  ] as const)('%s', (glob, names) => {
    expect(selectSites(glob, { layers: 2, block: 'sequential' })).toEqual(names);
  });

  test.each([[5], [null], [{}], [[5]], [['resid_post', undefined]], [Symbol('z')]])(
    'names that are no text are refused: %s',
    async (names) => {
      const error = await refusal(() => runWithCache(model, prompts, { names: wrong(names) }));
      expect(error).toMatchObject({ code: 'hooks/unknown-site', hint: expect.stringContaining("'resid_post'") });
    },
  );
});

describe('runs', () => {
  test('stopAtLayer counts from the end where it is negative, as in TransformerLens', async () => {
    const { layers } = model.info;
    for (const stopAtLayer of [-1, -layers]) {
      const [given, want] = [
        await runWithCache(model, prompts, { names: '*', stopAtLayer }),
        await runWithCache(model, prompts, { names: '*', stopAtLayer: layers + stopAtLayer }),
      ];
      expect(given.cache.names).toEqual(want.cache.names);
      expect(given.resid.data).toEqual(want.resid.data);
      for (const { cache } of [given, want]) cache.dispose();
    }
    for (const stopAtLayer of [layers + 1, -layers - 1, 0.5, Number.NaN, wrong('1')]) {
      const error = await refusal(() => runWithCache(model, prompts, { names: 'resid_pre', stopAtLayer }));
      expect(error.code).toBe('hooks/bad-layer');
      expect((await refusal(recorded({ stopAtLayer }))).code).toBe('hooks/bad-layer');
    }
  });

  test.each<readonly [string, unknown, string]>([
    ['one that is no list', scale('hook_embed', 2), 'in brackets'],
    ['text', 'hook_embed', 'in brackets'],
    ['a list in the list', [[scale('hook_embed', 2)]], '...withAdapter'],
    ['a name', ['hook_embed'], 'Make it with'],
    ['nothing', [undefined], 'Make it with'],
  ])('interventions: %s', async (_, interventions, hint) => {
    const error = await refusal(recorded({ interventions: wrong(interventions) }));
    expect(error).toMatchObject({ code: 'hooks/bad-option', hint: expect.stringContaining(hint) });
  });

  test('captures and logits that are no lists', async () => {
    expect((await refusal(recorded({ capture: wrong('hook_embed') }))).code).toBe('hooks/bad-option');
    for (const logits of [5, 'some', true])
      expect((await refusal(recorded({ logits: wrong(logits) }))).code).toBe('hooks/bad-rows');
  });
});

describe('functions at sites', () => {
  const unheard: unknown[] = [];
  /** Collects rejections that nobody handles, in Node and in a page, until the function it gives is called. */
  const listen = (): (() => void) => {
    const hear = (reason: unknown): void => void unheard.push(reason);
    if (typeof process.on === 'function') {
      process.on('unhandledRejection', hear);
      return () => void process.off('unhandledRejection', hear);
    }
    const heard = (event: PromiseRejectionEvent): void => hear(event.reason);
    addEventListener('unhandledrejection', heard);
    return () => removeEventListener('unhandledrejection', heard);
  };

  test.each<readonly [string, () => unknown, string]>([
    ['a promise', () => Promise.resolve(1), 'must not be async'],
    ['a promise that fails', () => Promise.reject(new Error('late')), 'must not be async'],
    ['a number', () => 0, '@limn/tensor'],
    ['an object', () => ({}), '@limn/tensor'],
    ['an array on the host', () => ({ shape: [2, 4, 15], data: new Float32Array(120) }), '@limn/tensor'],
  ])('%s instead of a tensor is refused by label and site', async (_, apply, hint) => {
    const stop = listen();
    const hooked = await refusal(() => runWithHooks(model, prompts, { hooks: [['mlp_out', wrong(apply)]] }));
    expect(hooked).toMatchObject({ code: 'hooks/wrong-shape', hint: expect.stringContaining(hint) });
    expect(hooked.message).toContain('"hook 1"');
    const edited = await refusal(
      recorded({ interventions: [intervene('blocks.1.hook_mlp_out', 'mine', wrong(apply))] }),
    );
    expect(edited.code).toBe('hooks/wrong-shape');
    expect(edited.message).toMatch(/"mine" gave .* at blocks\.1\.hook_mlp_out; expected a tensor \[2, 4, 15\]/);
    await new Promise((resolve) => setTimeout(resolve, 1));
    stop();
    expect(unheard).toEqual([]);
  });

  test('nothing from an intervention is refused too', async () => {
    const error = await refusal(
      recorded({
        interventions: [
          intervene(
            'hook_embed',
            'mine',
            wrong(() => undefined),
          ),
        ],
      }),
    );
    expect(error.message).toContain('gave missing at hook_embed');
  });
});

describe('generation', () => {
  test.each<readonly [string, unknown, RegExp]>([
    ['no options', undefined, /options are missing/],
    ['null', null, /options are null/],
    ['a number for options', 3, /options are 3/],
    ['no number of tokens', {}, /maxNewTokens is missing/],
    ['one end token that is no list', { maxNewTokens: 1, eosIds: 5 }, /eosIds is 5; allowed: a list/],
    ['text for end tokens', { maxNewTokens: 1, eosIds: 'x' }, /eosIds is "x"; allowed: a list/],
    [
      'text for stop strings',
      { maxNewTokens: 1, stopStrings: 'Olga', decode: () => 1 },
      /stopStrings is "Olga".* a list/,
    ],
    ['a stop string that is a number', { maxNewTokens: 1, stopStrings: [5], decode: () => 1 }, /a stop string is 5/],
    ['bytes that are no function', { maxNewTokens: 1, decode: 'utf-8' }, /decode is "utf-8"/],
    [
      'one stream that is no list',
      { maxNewTokens: 1, sampling: { kind: 'sample', seed: 1, streams: 5 } },
      /streams is 5/,
    ],
  ])('%s: refused at once', async (_, options, message) => {
    for (const call of [generate, generateStream]) {
      const error = await refusal(async () => call(model, prompts, wrong(options)));
      expect(error.code).toMatch(/^hooks\/bad-(generation|sampling)$/);
      expect(error.message).toMatch(message);
    }
  });

  test('one intervention that is no list', async () => {
    const options = { maxNewTokens: 1, interventions: wrong(scale('hook_embed', 2)) };
    expect((await refusal(() => generate(model, prompts, options))).code).toBe('hooks/bad-option');
  });
});

describe('answers', () => {
  test('an attribution by something that is no part of a stream', async () => {
    const error = await refusal(() => directLogitAttribution(model, prompts, { correct: 1, by: wrong('layer') }));
    expect(error).toMatchObject({ code: 'hooks/bad-option', message: expect.stringContaining("'component'") });
  });

  test('the likeliest tokens of logits that have none', async () => {
    for (const logits of [[1, Number.NaN, 3], [1, Infinity], [-Infinity, -Infinity], Float32Array.of(Number.NaN)])
      expect((await refusal(() => topTokens(logits))).code).toBe('hooks/not-finite');
    expect(topTokens([-Infinity, 2])).toEqual([
      { id: 1, logit: 2, probability: 1 },
      { id: 0, logit: -Infinity, probability: 0 },
    ]);
    expect([topTokens([1, 2], 0), topTokens([])]).toEqual([[], []]);
    for (const count of [-1, 0.5, Number.NaN])
      expect((await refusal(() => topTokens([1, 2], count))).code).toBe('hooks/bad-extent');
  });
});

test.each<readonly [string, unknown, RegExp]>([
  ['missing', {}, /hooks is missing/],
  ['one pair', { hooks: ['mlp_out', () => undefined] }, /hook 1 is "mlp_out"/],
  ['a pair without a function', { hooks: [['mlp_out']] }, /hook 1 is a list of 1/],
  ['one intervention', { hooks: [], interventions: scale('hook_embed', 2) }, /interventions is/],
])('hooks: %s', async (_, options, message) => {
  const error = await refusal(() => runWithHooks(model, prompts, wrong(options)));
  expect(error.code).toBe('hooks/bad-option');
  expect(error.message).toMatch(message);
});

test('one intervention of a run without logits', async () => {
  const options = { logits: 'none', interventions: wrong(scale('hook_embed', 2)) } as const;
  expect((await refusal(() => runWithCache(model, prompts, options))).code).toBe('hooks/bad-option');
});
