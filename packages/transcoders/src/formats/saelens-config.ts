// cfg.json of a SAELens folder, of now (`architecture`, `metadata`) and of before (`hook_point`, `activation_fn_str`): each field checked.
import { CheckedFields } from '@limn/hooks';
import type { DictionaryConvention } from './stored-dictionary.js';
import { isReadable, placeOf } from './hook-places.js';
import type { ReadableSite } from '../dictionary-config.js';

/** The architectures that are formulas of a dictionary. */
export const SAELENS_ARCHITECTURES = [
  'standard',
  'topk',
  'jumprelu',
  'transcoder',
  'skip_transcoder',
  'jumprelu_transcoder',
] as const;

/** What a cfg.json says of a dictionary. */
export interface SaeLensConfig {
  readonly architecture: (typeof SAELENS_ARCHITECTURES)[number];
  readonly transcoder: boolean;
  readonly layer: number;
  readonly input: ReadableSite;
  readonly reads: string;
  readonly writes: string;
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly features: number;
  /** What fires; θ of `jump-relu` is in the tensors. */
  readonly activation: { readonly kind: 'relu' | 'jump-relu' } | { readonly kind: 'top-k'; readonly k: number };
  /** ε of the gradients by θ, where the file says it. */
  readonly bandwidth?: number;
  /** h = (x − b_dec)·W_enc + b_enc. */
  readonly subtractsDecoderBias: boolean;
  /** h is multiplied by the norm of the decoder's row before the k largest are chosen, and divided by it after. */
  readonly rescales: boolean;
  readonly model?: string;
  readonly expects: Partial<DictionaryConvention>;
}

/** Widths and features beyond which a config is nobody's. */
export const MOST_WIDTH = 2 ** 24;

/** The fields of a cfg.json. */
export const saeLensFields = new CheckedFields(
  'data/dictionary-saelens',
  'The SAELens folder',
  'Give a folder that SAELens wrote: cfg.json and sae_weights.safetensors, of a transcoder or of an SAE on an MLP output.',
);

/**
 * Reads the text of a cfg.json.
 * @throws LimnError `data/dictionary-saelens`, naming the field, what it holds and what is allowed
 */
export function readSaeLensConfig(text: string): SaeLensConfig {
  const fields = saeLensFields;
  const cfg = fields.parse(text);
  const metadata = cfg.metadata === undefined ? {} : fields.record(cfg.metadata, 'metadata');
  const architecture = fields.oneOf(cfg.architecture ?? 'standard', 'architecture', SAELENS_ARCHITECTURES);
  const transcoder = architecture.endsWith('transcoder');
  fields.oneOf(cfg.normalize_activations ?? 'none', 'normalize_activations', ['none']);
  fields.oneOf(cfg.reshape_activations ?? 'none', 'reshape_activations', ['none']);
  const head = metadata.hook_head_index ?? cfg.hook_head_index ?? cfg.hook_point_head_index ?? null;
  if (head !== null) throw fields.refuse('hook_head_index', head, 'null: dictionaries read whole widths');

  const reads = fields.text(metadata.hook_name ?? cfg.hook_name ?? cfg.hook_point, 'hook_name');
  const out = metadata.hook_name_out ?? cfg.hook_name_out;
  const writes = transcoder ? fields.text(out, 'hook_name_out') : reads;
  const place = placeOf(reads);
  const target = placeOf(writes);
  if (!place || !isReadable(place.site) || (transcoder && place.site === 'hook_mlp_out'))
    throw fields.refuse(
      'hook_name',
      reads,
      'a place that an MLP reads, or of an SAE its output (blocks.3.hook_mlp_out)',
    );
  if (target?.site !== 'hook_mlp_out' || target.layer !== place.layer)
    throw fields.refuse('hook_name_out', writes, `blocks.${place.layer}.hook_mlp_out: an SAE's own place, too`);

  const inputWidth = fields.whole(cfg.d_in, 'd_in', 1, MOST_WIDTH);
  const features = fields.whole(cfg.d_sae, 'd_sae', 1, MOST_WIDTH);
  const bandwidth = cfg.jumprelu_bandwidth;
  const model = metadata.model_name ?? cfg.model_name;
  return {
    architecture,
    transcoder,
    layer: place.layer,
    input: place.site,
    reads,
    writes,
    inputWidth,
    outputWidth: cfg.d_out === undefined ? inputWidth : fields.whole(cfg.d_out, 'd_out', 1, MOST_WIDTH),
    features,
    activation: activationOf(architecture, cfg, features),
    ...(bandwidth === undefined ? {} : { bandwidth: fields.finite(bandwidth, 'jumprelu_bandwidth') }),
    subtractsDecoderBias: subtraction(cfg.apply_b_dec_to_input, transcoder),
    rescales:
      cfg.rescale_acts_by_decoder_norm === undefined
        ? false
        : fields.flag(cfg.rescale_acts_by_decoder_norm, 'rescale_acts_by_decoder_norm'),
    ...(typeof model === 'string' ? { model } : {}),
    expects: expectation(cfg, metadata),
  };
}

function activationOf(
  architecture: SaeLensConfig['architecture'],
  cfg: Readonly<Record<string, unknown>>,
  features: number,
): SaeLensConfig['activation'] {
  const fields = saeLensFields;
  if (architecture.startsWith('jumprelu')) return { kind: 'jump-relu' };
  const named = cfg.activation_fn ?? cfg.activation_fn_str ?? (architecture === 'topk' ? 'topk' : 'relu');
  const allowed =
    architecture === 'topk'
      ? (['topk'] as const)
      : architecture === 'standard'
        ? (['relu', 'topk'] as const)
        : (['relu'] as const);
  if (fields.oneOf(named, 'activation_fn', allowed) === 'relu') return { kind: 'relu' };
  const given = cfg.activation_fn_kwargs;
  const kwargs = given === undefined || given === null ? {} : fields.record(given, 'activation_fn_kwargs');
  return { kind: 'top-k', k: fields.whole(cfg.k ?? kwargs.k, 'k', 1, features) };
}

/** SAEs subtract their decoder's bias unless they say otherwise; a transcoder's belongs to another place. */
function subtraction(given: unknown, transcoder: boolean): boolean {
  const fields = saeLensFields;
  if (given === undefined) return !transcoder;
  const applied = fields.flag(given, 'apply_b_dec_to_input');
  if (transcoder && applied)
    throw fields.refuse(
      'apply_b_dec_to_input',
      applied,
      "false for a transcoder, whose decoder's bias is of the output",
    );
  return applied;
}

/**
 * What the model was like. SAELens of now takes models as they are published unless `model_from_pretrained_kwargs` says otherwise; older
 * files, which do not have the field, leave it open.
 */
function expectation(
  cfg: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>>,
): Partial<DictionaryConvention> {
  const fields = saeLensFields;
  const bos = metadata.prepend_bos ?? cfg.prepend_bos;
  const given = metadata.model_from_pretrained_kwargs ?? cfg.model_from_pretrained_kwargs;
  const kwargs =
    given === undefined || given === null ? undefined : fields.record(given, 'model_from_pretrained_kwargs');
  return {
    ...(kwargs === undefined
      ? {}
      : {
          gain: kwargs.fold_ln === true ? ('folded' as const) : ('kept' as const),
          output: kwargs.center_writing_weights === true ? ('centred' as const) : ('plain' as const),
        }),
    ...(typeof bos === 'boolean' ? { bos } : {}),
  };
}
