"""Language models behind an endpoint that speaks OpenAI's protocol: vLLM, llama.cpp, Ollama, TGI, the cloud's own."""
