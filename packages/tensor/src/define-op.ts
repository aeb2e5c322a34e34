// defineOp: an operation is its forward kernels, its vector–Jacobian product and a name, side by side in one file.
import type { Step } from '@limn/gpu';
import { record } from './tape.js';
import type { Tensor } from './tensor.js';

/** What forward gives: the output tensors, and whatever vjp needs besides inputs and outputs. */
export interface Forward<Outputs extends readonly Tensor[], Saved> {
  readonly outputs: Outputs;
  readonly saved: Saved;
}

/** What vjp sees of the forward pass. */
export interface VjpContext<Inputs extends readonly Tensor[], Outputs extends readonly Tensor[], Options, Saved> {
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  readonly saved: Saved;
  readonly options: Options;
}

/** One place per tensor of a list, each a gradient or nothing. */
export type Gradients<Tensors extends readonly Tensor[]> = { readonly [K in keyof Tensors]: Tensor | undefined };

/** One flag per input: whether its gradient is asked for. */
export type Wanted<Inputs extends readonly Tensor[]> = { readonly [K in keyof Inputs]: boolean };

/** The three parts of an operation. */
export interface OpDefinition<Inputs extends readonly Tensor[], Outputs extends readonly Tensor[], Options, Saved> {
  /** As it appears in messages. */
  readonly name: string;
  /** Checks shapes, allocates outputs and records kernels. Must not change its inputs. */
  forward(step: Step, inputs: Inputs, options: Options): Forward<Outputs, Saved>;
  /**
   * Σ_outputs dOutputᵀ · ∂output/∂input for each wanted input, shaped as the input; undefined for an input that is not
   * wanted or has no derivative (u32 ids). An entry of dOutputs is undefined when that output is not on the path: it
   * counts as zero, and at least one entry is there. Gradients are f32 and may be the tensors of dOutputs themselves;
   * they must never be written to afterwards.
   */
  vjp(
    step: Step,
    context: VjpContext<Inputs, Outputs, Options, Saved>,
    dOutputs: Gradients<Outputs>,
    wanted: Wanted<Inputs>,
  ): Gradients<Inputs>;
}

/** An operation as a function that records itself on the tape. */
export type Op<Inputs extends readonly Tensor[], Outputs extends readonly Tensor[], Options> = (
  step: Step,
  inputs: Inputs,
  options: Options,
) => Outputs;

/** Makes a differentiable operation of a forward and a vector–Jacobian product. */
export function defineOp<Inputs extends readonly Tensor[], const Outputs extends readonly Tensor[], Options, Saved>(
  definition: OpDefinition<Inputs, Outputs, Options, Saved>,
): Op<Inputs, Outputs, Options> {
  return (step, inputs, options) => {
    const { outputs, saved } = definition.forward(step, inputs, options);
    return record<Outputs>(outputs, {
      name: definition.name,
      step,
      inputs,
      pull: (into, dOutputs, wanted, own) =>
        definition.vjp(
          into,
          { inputs, outputs: own as unknown as Outputs, saved, options },
          dOutputs as Gradients<Outputs>,
          wanted as Wanted<Inputs>,
        ),
    });
  };
}
