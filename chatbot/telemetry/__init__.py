"""How the site is watched: logs, figures, traces, reports of crashes. Nothing of it holds what people or models say."""
