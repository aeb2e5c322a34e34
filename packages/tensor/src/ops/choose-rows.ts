// Which kernel runs an op whose rows are independent (LayerNorm, softmax): pure functions of the adapter and the shape.
import type { Capabilities, Gpu, Grid } from '@limn/gpu';
import { groupsOf } from '../grid.js';
import { shapeError } from '../shape.js';
import type { Decision } from '../tuning/decision.js';

/**
 * How a kernel divides rows among lanes. `row`: a workgroup a row, any width. `span`: a power of two of lanes a row, which they hold
 * in registers as vec4s. `lane`: a lane a row, any width. `lane4`: a lane a row by vec4s.
 */
export type RowKernelName = 'row' | 'span' | 'lane' | 'lane4';

/** What the choice depends on. */
export interface RowShape {
  readonly rows: number;
  readonly width: number;
}

/** vec4s that a lane of a `span` kernel can hold. */
const HELD = 8;
/** vec4s of a row that give a lane of a span enough to do. */
const BUSY = 4;
const SMALLEST_SPAN = 8;
/** Invocations of a workgroup that every device allows. */
const LARGEST_SPAN = 256;
const WORKGROUP = 64;

/** Widest row of a `span` kernel. */
const SPAN_WIDTH = 4 * HELD * LARGEST_SPAN;

/** Rows from which a software adapter gives every lane one of its own, where rows are not of whole vec4s. */
const LANE_ROWS = 256;

/** Overrides of a `span` kernel: lanes per row, vec4s per lane, and a workgroup that is not smaller than a span. */
export function spanOf({ width }: { readonly width: number }): { SPAN: number; HELD: number; WG: number } {
  let span = SMALLEST_SPAN;
  while (span < LARGEST_SPAN && 4 * BUSY * span < width) span *= 2;
  return { SPAN: span, HELD: Math.ceil(width / (4 * span)), WG: Math.max(WORKGROUP, span) };
}

/** The grid of a `span` kernel. */
export const perSpan = ({ rows }: { readonly rows: number }, { SPAN, WG }: { SPAN: number; WG: number }): Grid =>
  groupsOf(Math.ceil(rows / (WG / SPAN)));

/** The grid of a `lane` kernel. */
export const perLane = ({ rows }: { readonly rows: number }, { WG }: { readonly WG: number }): Grid =>
  groupsOf(Math.ceil(rows / WG));

/** On software adapters a workgroup is one subgroup, so that few rows still make work for every core. */
export const fewLanes = ({ adapter, subgroups, subgroupMin }: Capabilities): { WG?: number } =>
  adapter.isFallback ? { WG: subgroups ? subgroupMin : 4 } : {};

/** The kernels that can run a shape at all, whatever their speed. */
export function possibleRowKernels({ width }: RowShape): RowKernelName[] {
  const whole = width % 4 === 0;
  return [
    'row',
    ...(whole && width <= SPAN_WIDTH ? (['span'] as const) : []),
    'lane',
    ...(whole ? (['lane4'] as const) : []),
  ];
}

/**
 * The kernel for rows of this shape; the same answer for the same capabilities and shape, so that bits repeat.
 *
 * Software adapters run a workgroup's lanes in turns, and a barrier costs them a switch of stacks per subgroup: they give every lane a
 * row (npm run bench). GPUs want neighbouring lanes on neighbouring addresses and each value read once: a span of lanes a row.
 */
export function chooseRowKernel(capabilities: Capabilities, shape: RowShape): RowKernelName {
  const possible = possibleRowKernels(shape);
  if (!capabilities.adapter.isFallback) return possible.includes('span') ? 'span' : 'row';
  if (possible.includes('lane4')) return 'lane4';
  return shape.rows >= LANE_ROWS ? 'lane' : 'row';
}

/**
 * The kernels worth measuring for rows of this shape, the one that chooseRowKernel takes first. Spans are not worth their compiling on
 * a software adapter.
 */
export function rowKernelCandidates(capabilities: Capabilities, shape: RowShape): RowKernelName[] {
  const chosen = chooseRowKernel(capabilities, shape);
  const software = capabilities.adapter.isFallback;
  const others = possibleRowKernels(shape).filter((name) => name !== chosen && !(software && name === 'span'));
  return [chosen, ...others];
}

/** The kernel asked for, where it can run the shape, or the one that was decided on for the device. Throws 'tensor/shape'. */
export function rowKernel(
  op: string,
  decision: Decision<RowShape, RowKernelName>,
  gpu: Gpu,
  shape: RowShape,
  asked: RowKernelName | undefined,
): RowKernelName {
  if (asked === undefined) return decision.choose(gpu, shape);
  const possible = possibleRowKernels(shape);
  if (!possible.includes(asked))
    throw shapeError(
      op,
      `kernel '${asked}' cannot run rows of ${shape.width}`,
      `Take one of ${possible.join(', ')}, or none: the adapter's own is chosen then.`,
      { ...shape, kernel: asked, possible },
    );
  return asked;
}
