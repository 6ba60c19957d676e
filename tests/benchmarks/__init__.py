"""What a session costs: handstamp, its peers, and the limit, measured in one process.

Run ``python -m tests.benchmarks`` from the top of the repository; ``--help`` names the options. Parts of their own are
``python -m tests.benchmarks growth`` (size, memory, import), ``threads`` and ``endtoend`` (whole servers).
"""
