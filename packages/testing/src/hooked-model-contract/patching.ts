// A patching sweep is nothing but interventions: every kind against one plain run per patch, written with slices and concatenations.
import {
  blockHook,
  genericActivationPatch,
  intervene,
  logitDifference,
  patch as patchEdit,
  tokenBatch,
  type BlockSite,
  type HookedModel,
  type Intervention,
  type PatchAxis,
} from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { concat, readFloats, slice, type Tensor } from '@limn/tensor';
import { assert, expectSame, sameToRounding, type ContractCheck } from './check.js';
import { prompts } from './runs.js';

const correct = [[1, 2], 3, 4] as const;
const incorrect = 5;

/** Two prompts of each length with other tokens at the second and the last place. */
function pairs(model: HookedModel): { readonly clean: number[][]; readonly corrupted: number[][] } {
  const clean = prompts(model);
  const other = (id: number): number => (id + 4) % model.info.vocabulary;
  return {
    clean,
    corrupted: clean.map((row) => row.map((id, t) => (t === 1 || t === row.length - 1 ? other(id) : id))),
  };
}

/** x with index `at` of `axis` taken from `from`. */
function exchanged(step: Step, x: Tensor, from: Tensor, axis: number, at: number): Tensor {
  const length = x.shape[axis] as number;
  const parts = [
    ...(at > 0 ? [slice(step, x, axis, 0, at)] : []),
    slice(step, from, axis, at, 1),
    ...(at < length - 1 ? [slice(step, x, axis, at + 1, length - at - 1)] : []),
  ];
  return concat(step, parts, axis);
}

/** The metric per prompt of one plain run: corrupted tokens, one edit made from the clean run's tensor at the site. */
async function plainly(
  model: HookedModel,
  name: ReturnType<typeof blockHook>,
  edit: (clean: Tensor) => Intervention,
): Promise<Float32Array> {
  const { clean, corrupted } = pairs(model);
  const step = model.gpu.step();
  const source = model.run(step, { tokens: tokenBatch(clean, model.info) }, { capture: [name], logits: 'none' });
  const { logits } = model.run(
    step,
    { tokens: tokenBatch(corrupted, model.info) },
    { interventions: [edit(source.at(name))], logits: 'last' },
  );
  return readFloats(step, logitDifference(correct, incorrect).value(step, logits, [0, 1, 2]));
}

const L = 1;
/** A sweep over layer 1 alone, one of its patches by place, and the same by hand: each kind of site, each set of axes. */
const kinds: readonly {
  readonly site: BlockSite;
  readonly axes: readonly PatchAxis[];
  readonly at: readonly number[];
  readonly edit: (clean: Tensor) => Intervention;
}[] = [
  ...(['hook_resid_pre', 'hook_resid_mid', 'hook_mlp_out'] as const).map((site) => ({
    site,
    axes: ['layer', 'position'] as const,
    at: [0, 1],
    edit: (clean: Tensor) => patchEdit(blockHook(L, site), clean, { positions: [1] }),
  })),
  {
    site: 'hook_attn_out',
    axes: ['layer'],
    at: [0],
    edit: (clean) => patchEdit(blockHook(L, 'hook_attn_out'), clean),
  },
  {
    site: 'attn.hook_k',
    axes: ['layer', 'head'],
    at: [0, 1],
    edit: (clean) => intervene(blockHook(L, 'attn.hook_k'), 'head 1', (x, { step }) => exchanged(step, x, clean, 2, 1)),
  },
  {
    site: 'attn.hook_z',
    axes: ['layer', 'position', 'head'],
    at: [0, 2, 0],
    edit: (clean) =>
      intervene(blockHook(L, 'attn.hook_z'), 'head 0', (x, { step }) => exchanged(step, x, clean, 2, 0), {
        positions: [2],
      }),
  },
  {
    site: 'attn.hook_pattern',
    axes: ['layer', 'head', 'destination', 'source'],
    at: [0, 1, 2, 0],
    edit: (clean) =>
      intervene(
        blockHook(L, 'attn.hook_pattern'),
        'head 1',
        (x, { step }) => exchanged(step, x, exchanged(step, x, clean, 3, 0), 1, 1),
        { positions: [2] },
      ),
  },
];

export const patchingChecks: readonly ContractCheck[] = [
  {
    name: 'a patching sweep is the plain intervention at each of its places',
    async check(model) {
      const { info } = model;
      const B = 3;
      for (const { site, axes, at, edit } of kinds) {
        if (site === 'hook_resid_mid' && info.block === 'parallel') continue;
        const sweep = await genericActivationPatch(model, {
          ...pairs(model),
          metric: logitDifference(correct, incorrect),
          site,
          axes,
          batchRows: 24,
          layers: [L],
        });
        const what = `${site} over ${axes.join()}`;
        const flat = at.reduce((place, each, axis) => place * (sweep.values.shape[axis] as number) + each, 0);
        const want = await plainly(model, blockHook(L, site), edit);
        expectSame(sweep.perPrompt.data.subarray(flat * B, (flat + 1) * B), want, what, 3 * sameToRounding);
        const mean = want.reduce((sum, value) => sum + value, 0) / B;
        const apart = Math.abs((sweep.values.data[flat] as number) - mean);
        assert(apart <= 1e-5 * (1 + Math.abs(mean)), `${what}: mean ${sweep.values.data[flat]}, expected ${mean}`);
      }
    },
  },
];
