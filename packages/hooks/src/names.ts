// The names of the places in a transformer that can be read or edited: HookedTransformer's, as typed template literals.
import { LimnError } from '@limn/gpu';
import { nearestFirst } from './nearest-name.js';

/**
 * Sites of one block in the order in which a sequential block computes them, each with its axes:
 * B batch row, T position, S source position, C width, H head, K head width, M mlp width, 1 a single number.
 */
const blockSites = {
  hook_resid_pre: 'BTC',
  hook_q_input: 'BTHC',
  hook_k_input: 'BTHC',
  hook_v_input: 'BTHC',
  'ln1.hook_scale': 'BT1',
  'ln1.hook_normalized': 'BTC',
  'attn.hook_q': 'BTHK',
  'attn.hook_k': 'BTHK',
  'attn.hook_v': 'BTHK',
  'attn.hook_rot_q': 'BTHK',
  'attn.hook_rot_k': 'BTHK',
  'attn.hook_attn_scores': 'BHTS',
  'attn.hook_pattern': 'BHTS',
  'attn.hook_z': 'BTHK',
  'attn.hook_result': 'BTHC',
  hook_attn_out: 'BTC',
  hook_resid_mid: 'BTC',
  hook_mlp_in: 'BTC',
  'ln2.hook_scale': 'BT1',
  'ln2.hook_normalized': 'BTC',
  'mlp.hook_pre': 'BTM',
  'mlp.hook_post': 'BTM',
  hook_mlp_out: 'BTC',
  hook_resid_post: 'BTC',
} as const;

const sitesBefore = { hook_embed: 'BTC', hook_pos_embed: 'BTC' } as const;
const sitesAfter = { 'ln_final.hook_scale': 'BT1', 'ln_final.hook_normalized': 'BTC' } as const;

/**
 * What follows `blocks.3.` in the name of a site inside a block.
 * @useDeclaredType
 */
export type BlockSite = keyof typeof blockSites;
/**
 * A site outside the blocks.
 * @useDeclaredType
 */
export type OuterSite = keyof typeof sitesBefore | keyof typeof sitesAfter;
/** The name of a hook site, such as `blocks.3.attn.hook_z` or `hook_embed`. A misspelt site does not compile. */
export type HookName = OuterSite | `blocks.${number}.${BlockSite}`;
/**
 * Axes of the tensor at a site, one letter each: B T S C H K M, or 1.
 * @useDeclaredType
 */
export type SiteAxes = (typeof blockSites)[BlockSite];

/** A hook name taken apart. */
export interface ParsedHookName {
  readonly name: HookName;
  readonly layer?: number;
  readonly site: BlockSite | OuterSite;
  readonly axes: SiteAxes;
}

/** What decides which sites a model has. */
export interface SiteOwner {
  readonly layers: number;
  readonly block: 'sequential' | 'parallel';
  /** Whether queries and keys are rotated by position (Su et al. 2021) and so seen before and after. Default false. */
  readonly rotary?: boolean;
}

/** Why a model has not got a site that others have; undefined if it has. */
function absence(site: BlockSite | OuterSite, { block, rotary = false }: SiteOwner): string | undefined {
  if (site === 'hook_resid_mid' && block === 'parallel')
    return 'a parallel block has no residual stream between attention and MLP';
  if ((site === 'attn.hook_rot_q' || site === 'attn.hook_rot_k') && !rotary)
    return 'this model does not rotate queries and keys by position';
  return undefined;
}

const isBlockSite = (site: string): site is BlockSite => Object.hasOwn(blockSites, site);
const outerSites: Readonly<Record<OuterSite, SiteAxes>> = { ...sitesBefore, ...sitesAfter };
const isOuterSite = (site: string): site is OuterSite => Object.hasOwn(outerSites, site);

const blockAliases: ReadonlyMap<string, BlockSite> = new Map([
  ['hook_in', 'hook_resid_pre'],
  ['hook_out', 'hook_resid_post'],
  ['attn.q.hook_out', 'attn.hook_q'],
  ['attn.k.hook_out', 'attn.hook_k'],
  ['attn.v.hook_out', 'attn.hook_v'],
  ['mlp.hook_out', 'hook_mlp_out'],
]);
const outerAliases: ReadonlyMap<string, OuterSite> = new Map([
  ['embed.hook_out', 'hook_embed'],
  ['pos_embed.hook_out', 'hook_pos_embed'],
]);

/** The name of a site in block `layer`, for code that loops over layers. */
export function blockHook<S extends BlockSite>(layer: number, site: S): `blocks.${number}.${S}` {
  return `blocks.${layer}.${site}`;
}

/**
 * Every site that a model of this shape has, in the order in which a run reaches them. A parallel block has no resid_mid; only rotary
 * models have rot_q and rot_k.
 */
export function hookNames(model: SiteOwner): HookName[] {
  const inBlock = (Object.keys(blockSites) as BlockSite[]).filter((site) => absence(site, model) === undefined);
  return [
    ...(Object.keys(sitesBefore) as OuterSite[]),
    ...Array.from({ length: model.layers }, (_, layer) => inBlock.map((site) => blockHook(layer, site))).flat(),
    ...(Object.keys(sitesAfter) as OuterSite[]),
  ];
}

/** Takes a name apart; TransformerLens-3 aliases (`blocks.0.hook_in`, `embed.hook_out`) become the classic name; undefined if it is no name. */
export function tryParseHookName(text: string): ParsedHookName | undefined {
  const block = /^blocks\.(0|[1-9]\d{0,5})\.(.+)$/.exec(text);
  if (block) {
    const rest = block[2] as string;
    const site = isBlockSite(rest) ? rest : blockAliases.get(rest);
    if (site === undefined) return undefined;
    const layer = Number(block[1]);
    return { name: blockHook(layer, site), layer, site, axes: blockSites[site] };
  }
  const site = isOuterSite(text) ? text : outerAliases.get(text);
  return site === undefined ? undefined : { name: site, site, axes: outerSites[site] };
}

/** TransformerLens's short name of a site: `attn.hook_q` → `q`, `ln1.hook_scale` → `ln1.scale`, `hook_resid_pre` → `resid_pre`. */
export function shortNameOf(site: BlockSite | OuterSite): string {
  return site.replace(/^(attn|mlp)\./, '').replace('hook_', '');
}

/**
 * The names of this model that were probably meant, the likeliest first, at most `count`. Short names are understood. A text without a
 * digit names no block: then block 0 stands for all, so that the names are of different sites.
 */
export function suggestHookName(text: string, model: SiteOwner, count = 3): HookName[] {
  const layers = /\d/.test(text) ? model.layers : Math.min(1, model.layers);
  return nearestFirst(text, hookNames({ ...model, layers }), spellings).slice(0, count);
}

/** How people write a site: whole, without its module, without `hook_`, by its short name; with its block in front, behind, or not at all. */
function spellings(name: HookName): readonly string[] {
  const { layer, site } = tryParseHookName(name) as ParsedHookName;
  const short = shortNameOf(site);
  const ways = [site, site.slice(site.lastIndexOf('.') + 1), site.replace('hook_', ''), short];
  return layer === undefined ? ways : [...ways, ...ways.map((way) => `blocks.${layer}.${way}`), `${short}${layer}`];
}

/**
 * Takes a name apart and checks it against a model.
 * @throws LimnError `hooks/unknown-site` with the nearest names, if the model has no such site.
 */
export function parseHookName(text: string, model: SiteOwner): ParsedHookName {
  const parsed = tryParseHookName(text);
  const inRange = parsed?.layer === undefined || parsed.layer < model.layers;
  const absent = parsed && absence(parsed.site, model);
  if (parsed && inRange && absent === undefined) return parsed;
  const nearest = suggestHookName(text, model);
  const reason = parsed
    ? `${parsed.name}: ${inRange ? absent : `this model has blocks 0–${model.layers - 1}`}`
    : `there is no hook site "${text.slice(0, 200)}"`;
  throw new LimnError('hooks/unknown-site', reason, {
    details: { given: text, nearest },
    hint: `Nearest: ${nearest.join(', ')}.`,
  });
}
