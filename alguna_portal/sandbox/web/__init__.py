"""The sandbox's HTTP side: views, pages, storage of the state and webhook delivery."""
