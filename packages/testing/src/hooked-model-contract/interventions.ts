// What interventions promise: their order, rows, positions and counts, and that every site can be edited.
import {
  ablate,
  add,
  freeze,
  hookNames,
  intervene,
  patch,
  scale,
  type HookName,
  type Intervention,
  type Run,
} from '@limn/hooks';
import { add as plus, fromData, readFloats } from '@limn/tensor';
import { assert, different, expectSame, relativeDistance, sameToRounding, type ContractCheck } from './check.js';
import { even, logitsOf, seedLike } from './runs.js';

/** For edits of activations. */
export const interventionChecks: readonly ContractCheck[] = [
  {
    name: 'interventions hold in order, in their rows and positions only, and are counted',
    async check(model) {
      const site: HookName = 'blocks.0.hook_mlp_out';
      const step = model.gpu.step();
      const plain = model.run(step, { tokens: even(model) }, { capture: [site] });
      const C = model.info.width;
      const vector = fromData(step, new Float32Array(C).fill(1), [C]);
      const run = (...interventions: Intervention[]): Run =>
        model.run(step, { tokens: even(model) }, { capture: [site], interventions, rows: { start: 4, count: 2 } });
      const first = run(scale(site, 2), add(site, vector));
      const second = run(add(site, vector), scale(site, 2));
      const limited = run(ablate(site, 'zero', { rows: [5], positions: [0, 2] }));
      const nowhere = run(
        ablate(site, 'zero', { rows: [0] }),
        ablate(site, 'zero', { positions: [99] }),
        ablate(site, 'zero', { phase: 'generated' }),
      );
      const own = run(patch(site, plain.at(site)), freeze(site));
      const values = await Promise.all(
        [plain, first, second, limited, nowhere, own].map((each) => readFloats(step, each.at(site))),
      );
      const [base, scaledThenAdded, addedThenScaled, part, untouched, same] = values as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expectSame(
        scaledThenAdded,
        base.map((v) => 2 * v + 1),
        'scale, then add',
      );
      expectSame(
        addedThenScaled,
        base.map((v) => 2 * (v + 1)),
        'add, then scale',
      );
      const off = (i: number): boolean => Math.floor(i / C) === 5 || Math.floor(i / C) === 7;
      assert(
        !different(
          part,
          base.map((v, i) => (off(i) ? 0 : v)),
        ),
        'a limited edit changed something else, or missed its place',
      );
      assert(!different(untouched, base) && !different(same, base), 'an edit that holds nowhere changed something');
      assert(
        nowhere.fired === 0 && nowhere.skipped.map(({ reason }) => reason).join() === 'row,position,phase',
        'skipped edits are not counted',
      );
      assert(limited.fired === 1 && first.fired === 2, 'fired edits are not counted');
    },
  },
  {
    name: 'every site can be edited, and the edit reaches the logits',
    async check(model) {
      const plain = await logitsOf(model);
      for (const name of hookNames(model.info).filter((each) => !each.startsWith('blocks.1'))) {
        // Added, not multiplied, since a site may hold zeros; unlike at every place, since scores that all move alike give the same pattern.
        const edit = intervene(name, `wave at ${name}`, (x, ctx) => plus(ctx.step, x, seedLike(ctx.step, x)));
        const apart = relativeDistance(await logitsOf(model, { interventions: [edit] }), plain);
        assert(apart > 100 * sameToRounding, `an edit at ${name} moved the logits by ${apart} of their size`);
      }
    },
  },
];
