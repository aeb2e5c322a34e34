// Places of the residual stream, and where a MLP reads it.
import type { ModelInfo } from '@limn/hooks';

/** Places of the residual stream; `mid`, behind attention, only in sequential blocks. `post` of the last layer is the end. */
export interface StreamPlace {
  readonly layer: number;
  readonly at: 'pre' | 'mid' | 'post';
}

/** Where the MLP of a layer reads the stream. */
export function mlpInput(info: Pick<ModelInfo, 'block'>, layer: number): StreamPlace {
  return { layer, at: info.block === 'sequential' ? 'mid' : 'pre' };
}
