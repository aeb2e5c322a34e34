// TransformerLens's short names of sites (`resid_post`, `q`, `ln1.scale`) and filters over the sites of a model: names, globs, predicates.
import { LimnError, shownValue } from '@limn/gpu';
import { endLayerOf } from './end-layer.js';
import { matchesGlob } from './glob.js';
import {
  blockHook,
  hookNames,
  parseHookName,
  shortNameOf,
  suggestHookName,
  tryParseHookName,
  type BlockSite,
  type HookName,
  type OuterSite,
  type SiteOwner,
} from './names.js';

/** `attn.hook_q` → `q`, `mlp.hook_post` → `post`, `ln1.hook_scale` → `ln1.scale`, `hook_resid_pre` → `resid_pre`. */
export type Shortened<S extends string> = S extends `hook_${infer Name}`
  ? Name
  : S extends `${infer Part}.hook_${infer Name}`
    ? Part extends 'attn' | 'mlp'
      ? Name
      : `${Part}.${Name}`
    : never;

/**
 * Short name of a site of a block: `resid_pre`, `q`, `pattern`, `z`, `result`, `mlp_out`, `pre`, `post`, `ln1.scale`, …
 * @useDeclaredType
 */
export type ShortBlockName = Shortened<BlockSite>;
/**
 * Short name of a site outside the blocks: `embed`, `pos_embed`, `ln_final.scale`, `ln_final.normalized`.
 * @useDeclaredType
 */
export type ShortOuterName = Shortened<OuterSite>;

/** Which sites are meant: a name, a short name (of every layer), a glob (`*` is any run of characters, `?` any one), several, or a predicate. */
export type NameFilter =
  | HookName
  | ShortBlockName
  | ShortOuterName
  | (string & {})
  | readonly (HookName | ShortBlockName | ShortOuterName | (string & {}))[]
  | ((name: HookName) => boolean);

/** By short name: `blocks.0.`-less site, or the whole name outside the blocks. */
const sites = new Map<string, { readonly block?: BlockSite; readonly outer?: OuterSite }>();
const everySite: SiteOwner = { layers: 1, block: 'sequential', rotary: true };
for (const name of hookNames(everySite)) {
  const { layer, site } = parseHookName(name, everySite);
  sites.set(shortNameOf(site), layer === undefined ? { outer: site as OuterSite } : { block: site as BlockSite });
}

/** What `get_act_name` takes beside the sites' own short names. */
const aliases: Readonly<Record<string, string>> = {
  attn: 'pattern',
  attn_logits: 'attn_scores',
  key: 'k',
  query: 'q',
  value: 'v',
  mlp_pre: 'pre',
  mlp_post: 'post',
};

/** The site below `blocks.{l}.` of a short name, or undefined. */
export function blockSiteOf(short: string): BlockSite | undefined {
  return sites.get(short)?.block;
}

/**
 * TransformerLens's `get_act_name`: `actName('k', 6)`, `actName('k6')`, `actName('scale', 4, 'ln1')`, `actName('scale4ln1')`,
 * `actName('embed')`, `actName('scale')` (of the final LayerNorm); a full name is given back as it is (aliases resolved).
 * A negative layer counts from the end when `model` is given.
 * @throws LimnError `hooks/unknown-site`
 */
export function actName(name: string, layer?: number, layerType?: string, model?: SiteOwner): HookName {
  const glued = layer === undefined && layerType === undefined ? /^([a-z_]+)(\d+)([a-z]?.*)$/.exec(name) : null;
  if (glued && tryParseHookName(name) === undefined && !sites.has(name))
    return actName(glued[1] as string, Number(glued[2]), glued[3] || undefined, model);
  const plain = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
  const norm = plain === 'scale' || plain === 'normalized';
  const short = norm ? `${layer === undefined ? 'ln_final' : (layerType ?? '')}.${plain}` : plain;
  const found = sites.get(short);
  const text =
    layer === undefined
      ? (found?.outer ?? name)
      : `blocks.${layer < 0 && model ? model.layers + layer : layer}.${found?.block ?? name}`;
  if (model) return parseHookName(text, model).name;
  const parsed = tryParseHookName(text);
  if (parsed) return parsed.name;
  throw new LimnError('hooks/unknown-site', `there is no hook site "${text.slice(0, 200)}"`, {
    details: { given: name, layer, layerType },
    hint: `Short names are ${[...sites.keys()].join(', ')}; those of a block need a layer.`,
  });
}

/** What a run reaches, for filters that name no single site. */
export interface Reach {
  /** The first block that does not run; a negative one counts from the end. Default: all run. */
  readonly endLayer?: number;
  /** Whether the final LayerNorm runs. Default true. */
  readonly final?: boolean;
}

/**
 * The sites that a filter means, in the order in which a run reaches them, each once. Short names, globs and predicates take only
 * what `reach` allows; a full name is taken as it is, so that a run can refuse it by name.
 * @throws LimnError `hooks/unknown-site` if a name is unknown, a filter is none or takes nothing; `hooks/bad-layer` for an end that the
 * model has not got.
 */
export function selectSites(filter: NameFilter, model: SiteOwner, reach: Reach = {}): HookName[] {
  const all = hookNames(model);
  const { final = true } = reach;
  const endLayer = endLayerOf(reach.endLayer, model.layers);
  const reachable = all.filter((name) => {
    const layer = tryParseHookName(name)?.layer;
    return layer === undefined ? final || !name.startsWith('ln_final') : layer < endLayer;
  });
  const chosen = new Set<HookName>();
  const take = (names: readonly HookName[], what: string): void => {
    if (names.length === 0) throw nothingTaken(what, model);
    for (const name of names) chosen.add(name);
  };
  if (typeof filter === 'function') take(reachable.filter(filter), 'the predicate');
  else
    for (const text of textsOf(filter)) {
      const short = sites.get(Object.hasOwn(aliases, text) ? (aliases[text] as string) : text);
      const { block, outer } = short ?? {};
      if (block) {
        const named = new Set<string>(Array.from({ length: model.layers }, (_, layer) => blockHook(layer, block)));
        take(
          reachable.filter((name) => named.has(name)),
          shownValue(text),
        );
      } else if (outer) chosen.add(outer);
      else if (/[*?]/.test(text))
        take(
          reachable.filter((name) => matchesGlob(text, name)),
          shownValue(text),
        );
      else chosen.add(parseHookName(text, model).name);
    }
  return all.filter((name) => chosen.has(name));
}

function textsOf(filter: Exclude<NameFilter, (name: HookName) => boolean>): readonly string[] {
  const given: unknown = typeof filter === 'string' ? [filter] : filter;
  const list: readonly unknown[] =
    typeof given === 'object' && given !== null && Symbol.iterator in given
      ? Array.from(given as Iterable<unknown>)
      : [given];
  const wrong = list.findIndex((each) => typeof each !== 'string');
  if (wrong < 0) return list as readonly string[];
  throw new LimnError('hooks/unknown-site', `a site is named by text, not by ${shownValue(list[wrong])}`, {
    details: { given: shownValue(list[wrong]) },
    hint: "Give a name such as 'blocks.0.hook_mlp_out', a short name such as 'resid_post', a glob, a list of these, or a predicate.",
  });
}

function nothingTaken(what: string, model: SiteOwner): LimnError {
  const nearest = suggestHookName(what.replace(/["*?]/g, ''), model);
  return new LimnError('hooks/unknown-site', `${what} takes none of the sites that this run reaches`, {
    details: { given: what, nearest },
    hint: `Short names are ${[...sites.keys()].join(', ')}. Nearest full names: ${nearest.join(', ')}.`,
  });
}
