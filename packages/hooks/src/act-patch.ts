// The patching sweeps of TransformerLens's `patching` module by their own names, in camelCase: each is one call of genericActivationPatch.
import type { HookedModel } from './model.js';
import type { PatchOptions } from './patch-request.js';
import { genericActivationPatch, type PatchSweep, type PatchTarget } from './patch-sweep.js';

/** One kind of sweep, ready to be called. */
export type ActPatch = (model: HookedModel, options: PatchOptions) => Promise<PatchSweep>;

const over =
  (site: PatchTarget['site'], ...axes: PatchTarget['axes']): ActPatch =>
  (model, options) =>
    genericActivationPatch(model, { ...options, site, axes });

/**
 * The stream in front of a block, by position: [layer, position].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchResidPre = over('resid_pre', 'layer', 'position');
/**
 * The stream between attention and MLP, by position: [layer, position]. Not in a parallel block.
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchResidMid = over('resid_mid', 'layer', 'position');
/**
 * The stream behind a block, by position: [layer, position].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchResidPost = over('resid_post', 'layer', 'position');
/**
 * What an attention layer writes, by position: [layer, position].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnOut = over('attn_out', 'layer', 'position');
/**
 * What an MLP writes, by position: [layer, position].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchMlpOut = over('mlp_out', 'layer', 'position');

/**
 * What a head mixes, z, by position: [layer, position, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadOutByPos = over('z', 'layer', 'position', 'head');
/**
 * A head's queries, by position: [layer, position, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadQByPos = over('q', 'layer', 'position', 'head');
/**
 * A head's keys, by position: [layer, position, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadKByPos = over('k', 'layer', 'position', 'head');
/**
 * A head's values, by position: [layer, position, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadVByPos = over('v', 'layer', 'position', 'head');
/**
 * A head's attention pattern, by query position: [layer, head, destination].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadPatternByPos = over('pattern', 'layer', 'head', 'destination');
/**
 * Single numbers of a head's attention pattern: [layer, head, destination, source].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadPatternDestSrcPos = over('pattern', 'layer', 'head', 'destination', 'source');

/**
 * What a head mixes, z, at all positions: [layer, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadOutAllPos = over('z', 'layer', 'head');
/**
 * A head's queries, at all positions: [layer, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadQAllPos = over('q', 'layer', 'head');
/**
 * A head's keys, at all positions: [layer, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadKAllPos = over('k', 'layer', 'head');
/**
 * A head's values, at all positions: [layer, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadVAllPos = over('v', 'layer', 'head');
/**
 * A head's whole attention pattern: [layer, head].
 * @throws LimnError as `genericActivationPatch`
 */
export const getActPatchAttnHeadPatternAllPos = over('pattern', 'layer', 'head');

/** Sweeps of a head by what they patch. */
export type HeadSweeps = Readonly<Record<'out' | 'q' | 'k' | 'v' | 'pattern', PatchSweep>>;
/** Sweeps of a block by what they patch. */
export type BlockSweeps = Readonly<Record<'residPre' | 'attnOut' | 'mlpOut', PatchSweep>>;

/**
 * All five of every head, at all positions: each [layer, head]. `onProgress` counts each sweep anew.
 * @throws LimnError as `genericActivationPatch`
 */
export async function getActPatchAttnHeadAllPosEvery(model: HookedModel, options: PatchOptions): Promise<HeadSweeps> {
  return {
    out: await getActPatchAttnHeadOutAllPos(model, options),
    q: await getActPatchAttnHeadQAllPos(model, options),
    k: await getActPatchAttnHeadKAllPos(model, options),
    v: await getActPatchAttnHeadVAllPos(model, options),
    pattern: await getActPatchAttnHeadPatternAllPos(model, options),
  };
}

/**
 * All five of every head, by position: each [layer, position, head], the pattern [layer, destination, head].
 * @throws LimnError as `genericActivationPatch`
 */
export async function getActPatchAttnHeadByPosEvery(model: HookedModel, options: PatchOptions): Promise<HeadSweeps> {
  return {
    out: await getActPatchAttnHeadOutByPos(model, options),
    q: await getActPatchAttnHeadQByPos(model, options),
    k: await getActPatchAttnHeadKByPos(model, options),
    v: await getActPatchAttnHeadVByPos(model, options),
    pattern: await over('pattern', 'layer', 'destination', 'head')(model, options),
  };
}

/**
 * Stream, attention and MLP of every block, by position: each [layer, position].
 * @throws LimnError as `genericActivationPatch`
 */
export async function getActPatchBlockEvery(model: HookedModel, options: PatchOptions): Promise<BlockSweeps> {
  return {
    residPre: await getActPatchResidPre(model, options),
    attnOut: await getActPatchAttnOut(model, options),
    mlpOut: await getActPatchMlpOut(model, options),
  };
}
