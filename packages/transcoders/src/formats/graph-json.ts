// Attribution graphs as JSON, in the form that the viewers of Anthropic, circuit-tracer and Neuronpedia open: its types, and the check against the schema.
import { LimnError } from '@limn/gpu';
import { GRAPH_SCHEMA } from './graph-schema.js';
import { schemaFaults, type JsonSchema } from './json-schema.js';

/** A node of a graph file. */
export interface GraphJsonNode {
  readonly node_id: string;
  /** Cantor's number of (layer, feature); −1 of an error; a position or a token of the others. */
  readonly feature: number | null;
  readonly layer: string | number;
  /** Its position in the prompt. */
  readonly ctx_idx: number;
  /** 'cross layer transcoder' (of per-layer transcoders, too), 'mlp reconstruction error', 'embedding', 'logit', or another word. */
  readonly feature_type: string;
  readonly jsNodeId: string;
  /** Its label. */
  readonly clerp: string;
  readonly token_prob?: number | null;
  readonly is_target_logit?: boolean | null;
  readonly run_idx?: number | null;
  readonly reverse_ctx_idx?: number | null;
  /** Share of all influence that it and the stronger nodes have: small where it matters. */
  readonly influence?: number | null;
  readonly activation?: number | null;
}

/** An edge, by the ids of its ends. */
export interface GraphJsonLink {
  readonly source: string;
  readonly target: string;
  /** Signed. */
  readonly weight: number;
}

/** What a graph file says of itself; fields beyond these may be there. */
export interface GraphJsonMetadata {
  readonly slug: string;
  /** The model, and with it the features' pages. */
  readonly scan: string;
  readonly prompt_tokens: readonly string[];
  readonly prompt: string;
  readonly transcoder_list?: readonly string[];
  readonly node_threshold?: number;
  readonly schema_version?: number;
  readonly feature_details?: {
    readonly feature_json_base_url?: string;
    readonly neuronpedia_source_set?: string;
    readonly neuronpedia_lorsa_source_set?: string;
  };
  readonly info?: {
    readonly description?: string;
    readonly creator_name?: string;
    readonly creator_url?: string;
    readonly source_urls?: readonly string[];
    readonly generator?: {
      readonly name?: string;
      readonly version?: string;
      readonly url?: string;
      readonly email?: string;
    };
    readonly create_time_ms?: number;
  };
  readonly generation_settings?: {
    readonly max_n_logits?: number;
    readonly desired_logit_prob?: number;
    readonly batch_size?: number;
    readonly max_feature_nodes?: number;
  };
  readonly pruning_settings?: { readonly node_threshold?: number; readonly edge_threshold?: number };
  /** What limn's own page keeps besides; `checkGraphExtras` of @limn/report reads it. */
  readonly limn?: unknown;
}

/** What a viewer shows of a graph. */
export interface GraphJsonView {
  readonly pinnedIds?: readonly string[];
  /** A label and the ids that belong to it. */
  readonly supernodes?: readonly (readonly string[])[];
  /** `{layer}_{feature}_{ctx_idx}` of a node, with the number that the file has for the feature, and its label; in some files the text of such a list. */
  readonly clerps?: readonly (readonly string[])[] | string;
  readonly linkType?: string;
  readonly clickedId?: string | null;
  readonly sg_pos?: string;
}

/** A graph file. */
export interface GraphJson {
  readonly metadata: GraphJsonMetadata;
  readonly qParams: GraphJsonView;
  readonly nodes: readonly GraphJsonNode[];
  readonly links: readonly GraphJsonLink[];
}

/**
 * A value that has the form of a graph file.
 * @throws LimnError `data/graph-json`, with the first faults by their paths
 */
export function checkGraphJson(value: unknown): GraphJson {
  return checked<GraphJson>(value, GRAPH_SCHEMA, 'data/graph-json', 'The attribution graph');
}

/** A value that has the form of a schema, or the refusal with the first faults by their paths. */
export function checked<T>(value: unknown, schema: JsonSchema, code: string, what: string): T {
  const faults = schemaFaults(schema, value);
  const [first] = faults;
  if (!first) return value as T;
  throw new LimnError(code, `${what} has not the form that viewers read: ${first.path || 'it'} ${first.message}.`, {
    details: { faults },
    hint: 'Export it again, or mend the fields that details.faults names.',
  });
}
