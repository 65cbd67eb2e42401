"""The zaiko connector for Rakuten Ichiba (楽天市場), through the RMS WEB SERVICE."""

__version__ = "0.1.0"
