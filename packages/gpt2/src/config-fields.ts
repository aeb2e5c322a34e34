// The fields of config.json beside those that are read: harmless ones, ones that would change the arithmetic, and ones nobody knows here.
import { shownValue, type LimnError } from '@limn/gpu';

/** Fields that `parseConfig` reads, and fields that change nothing when a trained model is run: training, heads for other tasks, generation's defaults. */
const settledFields = new Set(
  `model_type architectures activation_function n_embd n_head n_layer n_positions n_ctx n_inner vocab_size layer_norm_epsilon
   scale_attn_weights scale_attn_by_inverse_layer_idx tie_word_embeddings bos_token_id eos_token_id initializer_range
   add_cross_attention auto_map attn_pdrop embd_pdrop resid_pdrop summary_activation summary_first_dropout summary_proj_to_labels
   summary_type summary_use_proj torch_dtype dtype transformers_version pad_token_id sep_token_id decoder_start_token_id use_cache
   task_specific_params _name_or_path name_or_path _commit_hash gradient_checkpointing n_special predict_special_tokens output_past
   finetuning_task id2label label2id num_labels problem_type tokenizer_class prefix return_dict output_attentions output_hidden_states
   use_bfloat16 tf_legacy_loss torchscript chunk_size_feed_forward is_decoder tie_encoder_decoder cross_attention_hidden_size
   max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p
   repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores
   return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty
   suppress_tokens begin_suppress_tokens`.split(/\s+/),
);

/** Fields that make another model of it. limn has none of these, so each must be absent, null, false or empty. */
const otherArithmetic = new Set(
  `rope_theta rope_scaling rope_parameters rotary_dim rotary_pct rotary_emb_base rotary_emb_fraction partial_rotary_factor alibi use_alibi
   multi_query num_key_value_heads n_head_kv sliding_window use_sliding_window attention_window attention_types window_size
   parallel_attn use_parallel_residual use_rms_norm rms_norm_eps qk_layernorm attn_logit_softcapping final_logit_softcapping
   logit_scale embedding_multiplier residual_multiplier attention_multiplier num_experts num_local_experts quantization_config
   compression_config pruned_heads is_encoder_decoder`.split(/\s+/),
);

/** Values with which a field says nothing. */
function isOff(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/**
 * Refuses fields that would change what the model computes, and tells of those that limn does not know. `bad` makes the error for a field.
 * @throws LimnError `config/bad-value`.
 */
export function checkOtherFields(
  fields: ReadonlyMap<string, unknown>,
  file: string,
  bad: (field: string, allowed: string, hint?: string) => LimnError,
  onNotice?: (notice: string) => void,
): void {
  const hint = 'The model computes something that limn does not implement; its results would be wrong.';
  for (const [field, value] of fields)
    if (otherArithmetic.has(field) && !isOff(value)) throw bad(field, 'absent, null or false', hint);
  const positions = fields.get('position_embedding_type') ?? 'absolute';
  if (positions !== 'absolute') throw bad('position_embedding_type', '"absolute"', hint);
  const order = fields.get('reorder_and_upcast_attn');
  if (order != null && typeof order !== 'boolean') throw bad('reorder_and_upcast_attn', 'true or false');
  if (order === true)
    onNotice?.(
      `${file}: reorder_and_upcast_attn is true; limn computes all attention in f32 and scales the scores once, whatever it says.`,
    );
  const known = new Set(['position_embedding_type', 'reorder_and_upcast_attn']);
  const unread = [...fields].filter(
    ([field]) => !(settledFields.has(field) || otherArithmetic.has(field) || known.has(field)),
  );
  if (unread.length === 0) return;
  const named = unread.slice(0, 8).map(([field, value]) => `${field.slice(0, 60)} (${shownValue(value)})`);
  if (unread.length > named.length) named.push(`and ${unread.length - named.length} more`);
  onNotice?.(`${file}: limn does not read ${named.join(', ')}; what they ask for is not done.`);
}
