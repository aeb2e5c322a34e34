// What a model refuses before any work, with the code of the error and a cure.
import { blockHook, intervene, patch, scale, tokenBatch, type HookName, type Run, type RunOptions } from '@limn/hooks';
import { fromData, reshape } from '@limn/tensor';
import { refused, type ContractCheck } from './check.js';
import { even } from './runs.js';

/** For every refusal. */
export const refusalChecks: readonly ContractCheck[] = [
  {
    name: 'impossible requests are refused before any work, with a cure',
    async check(model) {
      const step = model.gpu.step();
      const tokens = even(model);
      const { layers, maxPositions, vocabulary } = model.info;
      const run =
        (options: RunOptions): (() => Run) =>
        () =>
          model.run(step, { tokens }, options);
      const site: HookName = 'blocks.0.hook_mlp_out';
      refused('hooks/unknown-site', run({ capture: ['blocks.0.hook_mpl_out' as HookName] }), 'blocks.0.hook_mlp_out');
      refused('hooks/unknown-site', run({ capture: [blockHook(layers, 'hook_mlp_out')] }), `blocks 0–${layers - 1}`);
      refused('hooks/unreachable-site', run({ capture: ['blocks.1.hook_mlp_out'], stopAtLayer: 1 }));
      refused('hooks/unreachable-site', run({ interventions: [scale('ln_final.hook_scale', 2)], logits: 'none' }));
      refused(
        'hooks/late-read',
        run({ interventions: [intervene(site, 'late', (x) => x, { reads: ['blocks.0.hook_resid_post'] })] }),
      );
      refused(
        'hooks/undeclared-read',
        run({ interventions: [intervene(site, 'sly', (_x, ctx) => ctx.at('hook_embed'))] }),
        'reads',
      );
      refused('hooks/wrong-shape', run({ interventions: [intervene(site, 'flat', (x) => reshape(x, [x.size]))] }));
      refused('hooks/wrong-shape', run({ interventions: [patch(site, fromData(step, [1, 2, 3], [3]))] }));
      refused(
        'hooks/conflicting-sites',
        run({ interventions: [scale('blocks.0.hook_q_input', 2), scale('blocks.0.ln1.hook_scale', 2)] }),
      );
      refused('hooks/no-logits', () => run({ stopAtLayer: 1 })().logits);
      refused('hooks/not-captured', () => run({ capture: [site] })().at('hook_embed'), 'capture');
      refused('hooks/bad-rows', run({ logits: [10] }), '0 to 9');
      refused('hooks/bad-rows', run({ logits: 'last', stopAtLayer: 1 }));
      refused('hooks/bad-layer', run({ stopAtLayer: layers + 1 }));
      refused('tokens/not-in-vocabulary', () => tokenBatch([[0, vocabulary]], model.info), 'position 1');
      refused('tokens/too-long', () => tokenBatch([Array.from({ length: maxPositions + 1 }, () => 0)], model.info));
      refused('tokens/empty', () => tokenBatch([[]], model.info));
    },
  },
];
