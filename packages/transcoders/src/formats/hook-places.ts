// Hook names of other tools as places of a dictionary: which layer, which readable site.
import { tryParseHookName, type BlockSite } from '@limn/hooks';
import { READABLE_SITES, type ReadableSite } from '../dictionary-config.js';

/** A site inside a block. */
export interface HookPlace {
  readonly layer: number;
  readonly site: BlockSite;
}

/** `mlp.hook_in` is what the MLP's first map is given: behind LayerNorm, unlike TransformerLens's `hook_mlp_in`. */
const MLP_INPUT = 'mlp.hook_in';

/** The site that a name without its block means, undefined for names that are none. */
export function siteOf(name: string): BlockSite | undefined {
  if (name === MLP_INPUT) return 'ln2.hook_normalized';
  const parsed = tryParseHookName(`blocks.0.${name}`);
  return parsed && (parsed.site as BlockSite);
}

/** The place that a full name such as `blocks.3.hook_mlp_out` means; undefined for names that are none, or lie outside the blocks. */
export function placeOf(name: string): HookPlace | undefined {
  const block = /^blocks\.(0|[1-9]\d{0,5})\.(.+)$/.exec(name);
  const site = block && siteOf(block[2] as string);
  return block && site ? { layer: Number(block[1]), site } : undefined;
}

/** Whether a dictionary may read there. */
export const isReadable = (site: BlockSite): site is ReadableSite =>
  (READABLE_SITES as readonly BlockSite[]).includes(site);
