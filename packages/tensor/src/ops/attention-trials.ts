// How the ways of attention are run against one another: a pass forward, and one back where there is more than one query.
import type { Gpu } from '@limn/gpu';
import { randomUniformTensor } from '../random.js';
import { gradients } from '../tape.js';
import { keep, type Tensor } from '../tensor.js';
import { tunable, type OpenTrial, type TunableDecision } from '../tuning/trial.js';
import { add } from './arithmetic.js';
import { causalAttention } from './attention.js';
import { attentionDecision } from './attention-choice.js';
import type { AttentionForm } from './attention-form.js';
import type { AttentionKernel } from './choose-attention.js';

async function open(
  gpu: Gpu,
  { batch, heads, queries, keys, width }: AttentionForm,
): Promise<OpenTrial<AttentionKernel>> {
  using made = gpu.step({ label: 'queries and keys' });
  const random = (count: number, stream: number): Tensor =>
    keep(made, randomUniformTensor(made, [batch, count, heads, width], { seed: 1, stream }));
  const [q, k, v, dz] = [random(queries, 0), random(keys, 1), random(keys, 2), random(queries, 3)] as const;
  await made.submit();
  return {
    record(step, kernel) {
      const z = causalAttention(step, q, k, v, { kernel });
      // With a cache nothing is differentiated; else all four have one shape.
      if (queries !== keys) return z;
      return gradients(step, z, dz, [q, k, v]).reduce<Tensor>((sum, each) => add(step, sum, each as Tensor), z);
    },
    dispose() {
      for (const tensor of [q, k, v, dz]) tensor.dispose();
    },
  };
}

const pairsOf = ({ batch, heads, queries, keys }: AttentionForm): number => batch * heads * queries * keys;

/** The way of attention can be measured; also of other forms than limn's models have. */
export const tunableAttention = (decision = attentionDecision): TunableDecision =>
  tunable(decision, {
    // Two products forward and five back, of which causality masks half.
    work: (form) => (form.queries === form.keys ? 7 : 4) * form.width * pairsOf(form),
    bytes(form) {
      const { batch, heads, queries, keys, width } = form;
      const each = 4 * batch * heads * width * Math.max(queries, keys);
      return { largest: Math.max(each, 4 * pairsOf(form)), all: 12 * each + 12 * pairsOf(form) };
    },
    // Sums of `keys` terms of at most about 1, which for dv come to ln(keys), and an exp that may be 17 units off.
    tolerance: ({ keys }) => 8 * (17 + Math.sqrt(keys)) * Math.log(keys + 3) * 2 ** -24,
    open,
  });
