// What adapters by row promise on any model: each row carries its own, padding takes no part, and a task's gradients are its own to the bit.
import type { Step } from '@limn/gpu';
import {
  blockHook,
  scale,
  tokenBatch,
  withAdapter,
  withTaskAdapters,
  type HookedModel,
  type LinearSite,
  type TaskLowRank,
} from '@limn/hooks';
import {
  crossEntropy,
  fromData,
  gatherRows,
  gradients,
  permute,
  readFloats,
  reshape,
  slice,
  sumAll,
  type Tensor,
} from '@limn/tensor';
import { assert, different, expectSame, refused, sameToRounding, type ContractCheck } from './check.js';

const [TASKS, RANK] = [3, 2];

/** Factors of one map for every task, as host values that no two places share. */
function factorsOf(step: Step, linear: LinearSite, seed: number): { readonly a: Tensor; readonly b: Tensor } {
  const wave = (shape: readonly number[], speed: number): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    return fromData(
      step,
      Float32Array.from({ length: size }, (_, i) => Math.sin(seed + speed * i) / 4),
      shape,
    );
  };
  return { a: wave([TASKS, RANK, linear.inWidth], 1.3), b: wave([TASKS, linear.outWidth, RANK], 1.7) };
}

const firstBlock = (model: HookedModel): LinearSite[] => model.linears().filter(({ layer }) => layer === 0);

/** Prompts of unequal lengths, so that there is padding. */
const prompts = [
  [1, 2, 3],
  [4, 5],
  [1, 2, 3, 4, 5],
  [2, 4],
];

/** For adapters of every row. */
export const taskAdapterChecks: readonly ContractCheck[] = [
  {
    name: 'adapters by row act as one adapter for each row does, rows without one and padding stay as they are',
    async check(model) {
      const step = model.gpu.step();
      const tokens = tokenBatch(prompts, model.info);
      const taskOfRow = [2, 0, -1, 2];
      const changes = firstBlock(model).map((linear, i): TaskLowRank => ({
        linear,
        ...factorsOf(step, linear, i),
        scales: [0.5, 1, 2],
      }));
      const run = (interventions: Parameters<HookedModel['run']>[2]) => model.run(step, { tokens }, interventions);
      const sites = changes.flatMap(({ linear }) => linear.outputs);
      const together = run({ capture: sites, interventions: withTaskAdapters('by row', changes, { taskOfRow }) });
      const apart = run({
        capture: sites,
        interventions: [0, 2].flatMap((task) =>
          withAdapter(
            `task ${task}`,
            changes.map(({ linear, a, b, scales }) => {
              // PEFT's factors of one task, as withAdapter takes them: [in, r] and [r, out].
              const one = (stack: Tensor): Tensor => {
                const [, rows, columns] = stack.shape as [number, number, number];
                return permute(step, reshape(slice(step, stack, 0, task, 1), [rows, columns]), [1, 0]);
              };
              return { linear, a: one(a), b: one(b), factor: scales[task] as number };
            }),
            { rows: taskOfRow.flatMap((own, row) => (own === task ? [row] : [])) },
          ),
        ),
      });
      const plain = run({ capture: sites });
      const floats = (tensors: readonly Tensor[]) => Promise.all(tensors.map((tensor) => readFloats(step, tensor)));
      const runs = [together, apart, plain];
      const [values, logits] = await Promise.all([
        Promise.all(runs.map((each) => floats(sites.map((site) => each.at(site))))),
        floats(runs.map((each) => each.logits)),
      ]);
      const [own, other, none] = values as [Float32Array[], Float32Array[], Float32Array[]];
      const real = (list: Float32Array): number[] =>
        tokens.lengths.flatMap((length, row) => {
          const width = list.length / (tokens.B * tokens.T);
          return [...list.subarray(row * tokens.T * width, (row * tokens.T + length) * width)];
        });
      const rowOf = (list: Float32Array, row: number): Float32Array =>
        list.slice((row * list.length) / 4, ((row + 1) * list.length) / 4);
      sites.forEach((site, i) => {
        expectSame(real(own[i]!), real(other[i]!), `${site}: adapters by row`, 10 * sameToRounding);
        assert(different(rowOf(own[i]!, 0), rowOf(none[i]!, 0)), `${site}: the adapter of row 0 changed nothing`);
        assert(!different(rowOf(own[i]!, 2), rowOf(none[i]!, 2)), `${site}: a row without an adapter changed`);
      });
      expectSame(real(logits[0]!), real(logits[1]!), 'logits with adapters by row', 10 * sameToRounding);
      const [site] = firstBlock(model);
      // Factors that outlive no step will do: nothing is recorded of what is refused.
      const late = model.gpu.step();
      const short = withTaskAdapters('short', changes, { taskOfRow: [0, 1] });
      refused('hooks/bad-rows', () => model.run(late, { tokens }, { interventions: short }), 'taskOfRow');
      late.dispose();
      refused('hooks/bad-option', () => withTaskAdapters('wrong', changes, { taskOfRow: [TASKS] }), '0 to 2');
      const { a, b } = changes[0]!;
      const wrong = { linear: site!, a: b, b: a, scales: [1, 1, 1] };
      refused('hooks/wrong-shape', () => withTaskAdapters('turned', [wrong], { taskOfRow: [0] }), '[N, r, in]');
      const { spec } = withTaskAdapters('spec', changes, { taskOfRow })[0]!;
      assert(
        JSON.stringify(spec.options).includes('"taskOfRow":[2,0,-1,2]'),
        'the spec does not say which rows are whose',
      );
    },
  },
  {
    name: 'adapters act on the own inputs and results of heads as they do on all heads together',
    async check(model) {
      const step = model.gpu.step();
      const tokens = tokenBatch(prompts, model.info);
      const changes = model.linears().map((linear, i): TaskLowRank => ({ linear, ...factorsOf(step, linear, i), scales: [0.5, 1, 2] })); // prettier-ignore
      const one = changes.map(({ linear, a, b }) => {
        const first = (stack: Tensor): Tensor => {
          const [, rows, columns] = stack.shape as [number, number, number];
          return permute(step, reshape(slice(step, stack, 0, 0, 1), [rows, columns]), [1, 0]);
        };
        return { linear, a: first(a), b: first(b), factor: 0.5 };
      });
      // Edits that change nothing, of inputs that slots then have to themselves, and a look at heads' results.
      const split = Array.from({ length: model.info.layers }, (_, layer) =>
        (['hook_q_input', 'hook_k_input', 'hook_v_input'] as const).map((site) => scale(blockHook(layer, site), 1)),
      ).flat();
      const capture = Array.from({ length: model.info.layers }, (_, layer) => blockHook(layer, 'attn.hook_result'));
      const options = { logits: 'last' } as const;
      const logits = [
        withAdapter('one', one),
        withTaskAdapters('by row', changes, { taskOfRow: [2, 0, -1, 2] }),
      ].flatMap((adapters) => [
        model.run(step, { tokens }, { ...options, interventions: adapters }).logits,
        model.run(step, { tokens }, { ...options, interventions: [...adapters, ...split], capture }).logits,
        model.run(step, { tokens }, { ...options, interventions: [...split, ...adapters], capture }).logits,
      ]);
      const values = await Promise.all(logits.map((each) => readFloats(step, each)));
      for (const [i, what] of ['one adapter', 'adapters by row'].entries()) {
        const [joined, last, first] = values.slice(3 * i) as [Float32Array, Float32Array, Float32Array];
        expectSame(last, joined, `${what} behind heads told apart`, 20 * sameToRounding);
        expectSame(first, joined, `${what} in front of heads told apart`, 20 * sameToRounding);
      }
      const plain = model.gpu.step();
      const without = await readFloats(plain, model.run(plain, { tokens }, options).logits);
      assert(different(without, values[0]!), 'the adapter changed nothing');
    },
  },
  {
    name: "a task's gradients through adapters by row have the same bits whoever stands beside it",
    async check(model) {
      const linears = firstBlock(model);
      /** dA and dB of task 1, whose prompt stands in row `at` of four. */
      const gradientsOf = async (
        at: number,
        others: readonly number[][],
        otherTask: number,
      ): Promise<Float32Array[]> => {
        const step = model.gpu.step();
        const rows = [0, 1, 2, 3].map((row) => (row === at ? [1, 2, 3, 4] : others[row]!));
        const tokens = tokenBatch(rows, model.info);
        const changes = linears.map((linear, i): TaskLowRank => ({
          linear,
          ...factorsOf(step, linear, i),
          scales: [1, 2, 1],
        }));
        const taskOfRow = rows.map((_, row) => (row === at ? 1 : otherTask));
        const interventions = withTaskAdapters('bits', changes, { taskOfRow });
        const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
        const losses = crossEntropy(step, logits, fromData(step, Uint32Array.of(5, 5, 5, 5), [4]));
        const own = gatherRows(step, reshape(losses, [4, 1]), fromData(step, Uint32Array.of(at), [1]));
        const targets = changes.flatMap(({ a, b }) => [a, b]);
        const all = gradients(step, sumAll(step, own), 'ones', targets);
        return Promise.all(all.map((gradient) => readFloats(step, slice(step, gradient, 0, 1, 1))));
      };
      const other = [[3], [5, 1], [2, 2, 2], [1]];
      const first = await gradientsOf(0, other, 0);
      const last = await gradientsOf(3, [[4, 4, 4], [2], [1, 3], []], 2);
      first.forEach((values, i) => {
        assert(
          values.some((value) => value !== 0),
          `gradient ${i} is zero`,
        );
        assert(!different(values, last[i]!), `gradient ${i} of a task depends on its place or its neighbours`);
      });
    },
  },
];
