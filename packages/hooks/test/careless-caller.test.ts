// Calls that a careless caller makes, in JavaScript or past the types: each is answered with a code and a way out, never with a TypeError.
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { hookNames, runWithCache, scale, selectSites, tokenBatch } from '../src/index.js';
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
