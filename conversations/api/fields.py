"""What happens to each field of a chat completion; docs/openai.md has the same table, compared by a test."""


def names(text: str) -> frozenset[str]:
    """The set of the names in a text."""
    return frozenset(text.split())


PASSED_ON = names("""
    frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning_effort response_format safety_identifier seed stop tool_choice tools top_logprobs top_p user verbosity
    web_search_options
""")
"""Fields of OpenAI's protocol that are passed to the provider unchanged."""

SAMPLING = names("""
    top_k min_p top_a typical_p tfs_z repetition_penalty repeat_penalty repeat_last_n length_penalty min_tokens
    ignore_eos stop_token_ids include_stop_str_in_output skip_special_tokens spaces_between_special_tokens bad_words
    mirostat mirostat_tau mirostat_eta dynatemp_range dynatemp_exponent xtc_probability xtc_threshold
    dry_multiplier dry_base dry_allowed_length dry_penalty_last_n samplers random_seed
""")
FORMS = names("guided_json guided_regex guided_choice guided_grammar structured_outputs grammar json_schema")
REASONING = names("""
    chat_template_kwargs enable_thinking thinking thinking_budget thinking_token_budget reasoning reasoning_format
    reasoning_budget include_reasoning prompt_mode safe_prompt cache_prompt n_keep n_probs
""")

EXTRAS = SAMPLING | FORMS | REASONING
"""Fields of vLLM, llama.cpp, Ollama and others besides OpenAI's, which are passed on unchanged, too.

None of them may choose another model, address or account.
"""

NOT_KEPT = names("function_call functions logprobs parallel_tool_calls tool_choice tools top_logprobs")
"""Fields whose results a conversation cannot store."""
