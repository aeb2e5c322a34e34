// The tape: every op output points to the node that made it, and `gradients` walks back from roots to targets.
import { LimnError, type Step } from '@limn/gpu';
import { accumulate, addTensors, fill } from './untaped.js';
import { Tensor } from './tensor.js';
import { expectShape, showShape } from './shape.js';

/** How one op's output gradients become input gradients; types are those of the op's own definition. */
export type Pull = (
  step: Step,
  dOutputs: readonly (Tensor | undefined)[],
  wanted: readonly boolean[],
  outputs: readonly Tensor[],
) => readonly (Tensor | undefined)[];

/** One recorded op. */
export interface TapeNode {
  readonly name: string;
  /** The step whose memory the node depends on; undefined for views of leaves, which belong to every step. */
  readonly step: Step | undefined;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** @internal */
  readonly pull: Pull;
  /** Rises with every node, so that descending order is a valid order for the backward pass. */
  readonly sequence: number;
}

let sequence = 0;

/** The outputs as new handles on the same memory, joined to a new node. */
export function record<Outputs extends readonly Tensor[]>(
  outputs: readonly Tensor[],
  part: Pick<TapeNode, 'name' | 'step' | 'inputs' | 'pull'>,
): Outputs {
  sequence += 1;
  const own: Tensor[] = [];
  const node: TapeNode = { ...part, outputs: own, sequence };
  for (const output of outputs)
    own.push(new Tensor(output.storage, output.shape, output.dtype, { node, label: output.label ?? part.name }));
  return own as readonly Tensor[] as Outputs;
}

/** What to do with targets that no root depends on. */
export interface GradientOptions {
  /** 'error' (default) throws 'tensor/no-path'; 'zeros' gives a zero tensor. */
  readonly missing?: 'error' | 'zeros';
}

/**
 * Σ_roots seedᵀ · ∂root/∂target for every target, as tensors of this step in the targets' order and shapes.
 *
 * `seeds` is one tensor or 'ones' per root, shaped as the root. Targets may be leaves (parameters, data) or any tensor on
 * the tape (a captured site); a tensor made in another step counts as a leaf. Pure: nothing is stored on tensors, and
 * only nodes between a target and a root run their vjp, told which inputs matter. Results carry no tape node and may share
 * memory with one another and with the seeds.
 * @throws LimnError `tensor/dtype`, `tensor/no-path`, `tensor/shape`
 */
export function gradients(
  step: Step,
  roots: Tensor | readonly Tensor[],
  seeds: Tensor | 'ones' | readonly (Tensor | 'ones')[],
  targets: readonly Tensor[],
  options: GradientOptions = {},
): Tensor[] {
  const rootList = roots instanceof Tensor ? [roots] : roots;
  const seedList = typeof seeds === 'string' || seeds instanceof Tensor ? rootList.map(() => seeds) : seeds;
  if (seedList.length !== rootList.length)
    throw new LimnError(
      'tensor/shape',
      `gradients: ${rootList.length} roots but ${seedList.length} seeds. Give one seed per root.`,
      {
        details: { roots: rootList.length, seeds: seedList.length },
      },
    );
  for (const tensor of [...rootList, ...targets])
    if (tensor.dtype === 'u32')
      throw new LimnError(
        'tensor/dtype',
        `gradients: ${describe(tensor)} holds whole numbers, which have no derivative. Give f32 roots and targets.`,
        {
          details: { label: tensor.label, dtype: tensor.dtype },
        },
      );

  const nodes = nodesBehind(step, rootList);
  const wantedTensors = new Set(targets);
  const useful = new Set<TapeNode>();
  const isUseful = (tensor: Tensor): boolean => {
    if (wantedTensors.has(tensor)) return true;
    const node = liveNode(step, tensor);
    return node !== undefined && useful.has(node);
  };
  for (const node of nodes) if (node.inputs.some(isUseful)) useful.add(node);

  const sums = new GradientSums(step);
  rootList.forEach((root, place) => {
    if (!isUseful(root)) return;
    const seed = seedList[place] as Tensor | 'ones';
    if (seed !== 'ones') expectShape('gradients', `the seed of ${describe(root)}`, seed.shape, root.shape);
    sums.add(root, seed === 'ones' ? fill(step, root.shape, 1, 'seed') : seed);
  });
  for (const node of [...nodes].reverse()) {
    if (!useful.has(node)) continue;
    const dOutputs = node.outputs.map((output) => sums.get(output));
    if (dOutputs.every((gradient) => gradient === undefined)) continue;
    const wanted = node.inputs.map(isUseful);
    const dInputs = node.pull(step, dOutputs, wanted, node.outputs);
    node.inputs.forEach((input, place) => {
      const gradient = wanted[place] ? dInputs[place] : undefined;
      if (!gradient) return;
      expectShape(`${node.name} (backward)`, `the gradient of input ${place}`, gradient.shape, input.shape);
      sums.add(input, gradient);
    });
    for (const output of node.outputs) if (!wantedTensors.has(output)) sums.drop(output);
  }

  return targets.map((target) => {
    const gradient = sums.get(target);
    if (gradient) return gradient;
    if (options.missing === 'zeros') return fill(step, target.shape, 0, 'no-path');
    throw new LimnError(
      'tensor/no-path',
      `gradients: no differentiable path leads from ${rootList.map(describe).join(', ')} to ${describe(target)}. ` +
        "Check that the run used this very tensor (not a copy, and not from another step), or pass { missing: 'zeros' }.",
      { details: { target: target.label, shape: target.shape, roots: rootList.map((root) => root.label) } },
    );
  });
}

/** The tensor's node if this step's tape contains it. */
function liveNode(step: Step, tensor: Tensor): TapeNode | undefined {
  return tensor.node && (tensor.node.step === undefined || tensor.node.step === step) ? tensor.node : undefined;
}

/** Every node that some root depends on, in the order of recording. */
function nodesBehind(step: Step, roots: readonly Tensor[]): TapeNode[] {
  const found = new Set<TapeNode>();
  const pending: Tensor[] = [...roots];
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    const node = liveNode(step, tensor);
    if (!node || found.has(node)) continue;
    found.add(node);
    pending.push(...node.inputs);
  }
  return [...found].sort((a, b) => a.sequence - b.sequence);
}

/** A tensor's name and shape for messages. */
function describe(tensor: Tensor): string {
  return `'${tensor.label ?? 'tensor'}' ${showShape(tensor.shape)}`;
}

/**
 * Running sums of gradients. The first contribution is kept as it is, since others may hold the same memory; the second
 * makes a tensor that only the sum knows, and later ones are added to that in place. A sum is complete before anyone
 * reads it, because nodes run in descending sequence.
 */
class GradientSums {
  private readonly sums = new Map<Tensor, Tensor>();
  private readonly owned = new Set<Tensor>();

  constructor(private readonly step: Step) {}

  get(tensor: Tensor): Tensor | undefined {
    return this.sums.get(tensor);
  }

  add(tensor: Tensor, contribution: Tensor): void {
    const sum = this.sums.get(tensor);
    // A handle of its own: the contribution may be another tensor's finished sum, which must not be added to in place.
    if (!sum) this.sums.set(tensor, withoutNode(contribution));
    else if (this.owned.has(sum)) accumulate(this.step, sum, contribution);
    else {
      const fresh = addTensors(this.step, sum, contribution);
      this.owned.add(fresh);
      this.sums.set(tensor, fresh);
    }
  }

  drop(tensor: Tensor): void {
    this.sums.delete(tensor);
  }
}

/** A new handle on the same memory, without history. */
function withoutNode(tensor: Tensor): Tensor {
  return new Tensor(tensor.storage, tensor.shape, tensor.dtype, { label: tensor.label });
}
